"""The tenant matrix: two accounts that hold the same names, and everything one may try there."""
