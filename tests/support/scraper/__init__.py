"""What the scraper's tests share: a scripted HTTP server, a tiny Aldi, a clock of two hands, tokens in memory."""
