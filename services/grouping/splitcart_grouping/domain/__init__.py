"""What grouping decides, as values: no client, no clock."""
