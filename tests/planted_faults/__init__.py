"""Planted faults that the harnesses must report: a check that never failed proves nothing."""
