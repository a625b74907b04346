"""Foreign bytes into values and back: pure, one file a format."""
