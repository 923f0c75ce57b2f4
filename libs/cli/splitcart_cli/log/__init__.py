"""Tools over the log: what is in it, read without being a consumer of it."""
