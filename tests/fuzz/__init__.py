"""Coverage-guided fuzzing of the parser of HTTP requests."""
