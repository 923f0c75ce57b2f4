"""All of SplitCart on one machine: a real broker and database, simulated retailers, the services."""
