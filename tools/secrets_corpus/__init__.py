"""A labelled corpus of planted secrets and of what only looks like one, made anew from a seed.

No planted value is stored, and none is a credential of anybody. Specification: checks reference, section 8.7.
"""
