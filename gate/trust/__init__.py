"""Trusted roots: those that ship, their updates over TUF, and what is kept of them."""
