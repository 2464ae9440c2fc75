"""Bare servers to compare Parlour with, so that results are ratios."""
