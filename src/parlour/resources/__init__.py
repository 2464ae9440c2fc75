"""What the API is about: one folder for each resource, each with the same files."""
