"""Request log, expected state and checkers that crash and fault runs share; no tests."""
