"""The requirement document: what a deploy stage demands."""
