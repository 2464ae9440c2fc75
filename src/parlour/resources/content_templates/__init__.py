"""Content templates: texts with placeholders for variables."""
