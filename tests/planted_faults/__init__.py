"""Planted faults that checkers and harnesses must report."""
