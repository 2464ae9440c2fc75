"""Pages, commands and generated references agree with the code."""
