"""``python -m splitcart_scraper``: the service, with its settings from the environment."""

import sys
from functools import partial
from typing import Final

from splitcart_common.service import run_service
from splitcart_scraper.app import SERVICE, run
from splitcart_scraper.settings import ScraperSettings

NOT_WANTED: Final = 3
"""Exit code when the workers of every company have stopped: no retailer can be reached, or none wants us."""


def main() -> int:
    """The exit code: 0 stopped as asked, 1 by an error, 2 where no company may be visited, 3 by the retailers."""
    settings = ScraperSettings()
    if all(map(settings.anonymous, settings.scraper_companies)):
        sys.stderr.write("".join(f"scraper: {settings.anonymous(name)}\n" for name in settings.scraper_companies))
        return 2
    stopped: list[str] = []
    code = run_service(SERVICE, settings, partial(run, settings, stopped=stopped))
    if code == 0 and stopped:
        sys.stderr.write("".join(f"scraper: {why}\n" for why in stopped))
        return NOT_WANTED
    return code


if __name__ == "__main__":
    sys.exit(main())
