"""Which objective disentangles best: trained side by side on cells of known truth."""
