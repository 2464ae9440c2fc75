"""Seeds without a server: texts, declarations and checks."""
