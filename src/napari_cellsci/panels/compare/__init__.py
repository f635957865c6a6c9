"""The *Compare*: every model of every scheme, accuracy against size."""
