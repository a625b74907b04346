"""Programs that make test and demonstration material from real parts; no part of the `gate` package."""
