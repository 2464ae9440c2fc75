"""Development tools: metrics of the code and its language."""
