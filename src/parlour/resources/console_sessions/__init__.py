"""Sessions of the console, and the tickets that open them."""
