"""The reading side of the record: what was decided, whether it was altered, and what would be decided again."""
