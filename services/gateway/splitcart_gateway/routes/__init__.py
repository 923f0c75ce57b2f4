"""The handlers of HTTP: check, read, ask the domain, write JSON or a page."""
