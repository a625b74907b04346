"""Frozen values of the gate: standard library only, no input or output.

Importing this package loads nothing; import the module that holds the value.
"""
