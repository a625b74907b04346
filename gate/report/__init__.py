"""Reports: a verdict, or rows, as text. One file a format; none decides anything, and none knows where its text goes."""
