"""Content templates: texts with places for variables."""
