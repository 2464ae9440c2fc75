"""The resources of the API: one folder each, all with the same file names."""
