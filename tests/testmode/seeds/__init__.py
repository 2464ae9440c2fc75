"""Seeds: loading, exporting, their files and their errors."""
