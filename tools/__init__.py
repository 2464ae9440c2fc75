"""Development tools: figures about the code and its language."""
