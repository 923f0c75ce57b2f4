"""Pure: values in, facts out. No await, clock, client or environment."""
