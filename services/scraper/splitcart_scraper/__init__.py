"""The scraper: visits stores, one polite request at a time, and publishes what it saw."""
