"""The *Expressions* panel: formulas read, edited and shown on the movie."""
