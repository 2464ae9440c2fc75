"""The tenant matrix: two accounts with the same names, and every attempt at the other's objects."""
