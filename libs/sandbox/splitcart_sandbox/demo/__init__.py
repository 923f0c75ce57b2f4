"""The main job, shown: a small country is scraped, folded and served, and every price is held to the truth."""
