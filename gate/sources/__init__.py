"""Where references are written: one reader a kind of file; each returns what it found with its place, and writes nothing."""
