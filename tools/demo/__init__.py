"""The demo: real images judged, signed and demanded on a real registry, each answer held against what is expected.

`make demo` runs it as `python -m tools.demo`. Everything it makes is in `.demo/` of the checkout, new at each run; only the
pinned scanners are kept, outside the checkout, under the digest of what they are built from.
"""
