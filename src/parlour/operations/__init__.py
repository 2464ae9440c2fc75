"""How any operation of the API runs, wherever the call came from."""
