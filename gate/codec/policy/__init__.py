"""The policy document: its keys, and one file for each section of it."""
