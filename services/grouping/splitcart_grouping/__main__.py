"""``python -m splitcart_grouping``: group until told to stop."""

import sys
from functools import partial

from splitcart_common.service import run_service
from splitcart_grouping.app import SERVICE, main
from splitcart_grouping.settings import GroupingSettings

if __name__ == "__main__":
    settings = GroupingSettings()
    sys.exit(run_service(SERVICE, settings, partial(main, settings)))
