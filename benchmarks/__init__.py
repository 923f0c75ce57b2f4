"""Each claim of speed: our code and its baseline in one run. `make bench`, `make bench NAME=fold`."""
