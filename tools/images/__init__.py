"""Small deterministic OCI image layouts from real parts, made without root and without a container engine.

`layout` holds the composable pieces (also for hostile layouts of tests), `catalog` the named images of the demo.
This package judges nothing and imports nothing of `gate`, so that what it builds is independent of what is tested.
"""
