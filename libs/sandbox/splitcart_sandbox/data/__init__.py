"""Real outlets and product rows the simulated country is made of; SOURCES.md says where they come from."""
