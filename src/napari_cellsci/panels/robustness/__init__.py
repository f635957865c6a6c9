"""The *Robustness* panel: attacks one can see, and what they say of a model."""
