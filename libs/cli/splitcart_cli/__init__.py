"""The `splitcart` command: the verbs of whatever services are installed."""
