"""Folds observations into the latest-price store and says what changed."""
