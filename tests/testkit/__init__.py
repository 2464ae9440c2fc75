"""The test kit: its packages from outside, their types, and the examples that use them."""
