"""The load client: one C file, built on demand and driven from here."""
