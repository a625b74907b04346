"""How many planted secrets the gate and its peers find, and how often each cries wolf: `python -m bench.secrets`."""
