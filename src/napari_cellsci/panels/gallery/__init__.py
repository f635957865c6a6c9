"""The *Gallery*: every crop of the project as a thumbnail, sorted by score or time."""
