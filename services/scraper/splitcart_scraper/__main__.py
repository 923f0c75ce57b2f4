"""``python -m splitcart_scraper``: the service, with its settings from the environment."""

import sys
from functools import partial

from splitcart_common.service import run_service
from splitcart_scraper.app import SERVICE, run
from splitcart_scraper.settings import ScraperSettings

if __name__ == "__main__":
    settings = ScraperSettings()
    sys.exit(run_service(SERVICE, settings, partial(run, settings)))
