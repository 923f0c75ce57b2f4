"""Grouping: which stores of a company share prices, under which anchor, and on what evidence."""
