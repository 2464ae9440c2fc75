"""Retries, overload and failed commits over hours, in virtual time."""
