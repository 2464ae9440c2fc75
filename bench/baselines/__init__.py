"""Bare servers that stand beside Parlour, so that results are ratios."""
