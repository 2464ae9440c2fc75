"""Process kills and power loss: what was acknowledged is durable, the rest is atomic."""
