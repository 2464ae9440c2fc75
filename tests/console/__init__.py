"""The console as it is packed and written: third-party modules, types, lint rules, sizes."""
