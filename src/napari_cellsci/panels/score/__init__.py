"""The *Score* panel: choose a classifier, score every cell, and read the overlay."""
