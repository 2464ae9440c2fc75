"""Rules about the source that imports and types cannot express."""
