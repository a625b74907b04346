"""The command line: one file a command, and no logic in any of them. What they do is in `gate.pipeline` and `gate.admin`."""
