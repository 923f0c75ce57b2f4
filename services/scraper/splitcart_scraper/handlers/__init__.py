"""The shell: ask the domain, talk to the retailer, save, publish."""
