"""The panel *Train*: set up, watch, stop, go on with and compare training runs."""
