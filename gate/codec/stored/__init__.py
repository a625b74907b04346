"""The form in which the record keeps evidence: its own names and its own version, which follow no class of the model."""
