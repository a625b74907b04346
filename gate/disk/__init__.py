"""The only place that opens files: what a user named, what the gate keeps for itself, what ships with it."""
