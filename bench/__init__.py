"""How long the gate takes, as ratios to the programs that it stands beside, measured side by side in one run.

`make bench` runs it as `python -m bench` and writes `bench/README.md`. A time alone says little: it is another one on every
machine and at every load. So contestants take turns, each round's times are compared with each other, and the median of
these ratios is what is reported.
"""
