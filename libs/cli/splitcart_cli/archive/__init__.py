"""Archives of the log: topics, or a part of them, as files, and back."""
