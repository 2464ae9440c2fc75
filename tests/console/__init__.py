"""The console as it is packed, and its gate: modules, types, sizes; sessions, roles, responses."""
