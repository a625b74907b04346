"""The audit record: rows that are only ever appended, and evidence by digest."""
