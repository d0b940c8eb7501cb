"""Measurements: `make bench`. Figures are printed, and those of docs/ were printed by these."""
