"""``python -m splitcart_ingest``: fold until told to stop."""

import sys
from functools import partial

from splitcart_common.service import run_service
from splitcart_ingest.app import SERVICE, main
from splitcart_ingest.settings import IngestSettings

if __name__ == "__main__":
    settings = IngestSettings()
    sys.exit(run_service(SERVICE, settings, partial(main, settings)))
