"""The scraper's rules: values in, values out."""
