"""The cell table, crops, intensity normalisation, linking and simulated movies."""
