"""Faults and emulation, as clients, webhook receivers and phones see them."""
