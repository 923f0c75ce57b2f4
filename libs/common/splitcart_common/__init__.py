"""What every SplitCart service shares; it makes no decisions and imports no service."""
