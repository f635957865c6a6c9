"""The selected cell: its crop, its reconstruction, its track as a film, its scores."""
