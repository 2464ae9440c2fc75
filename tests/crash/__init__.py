"""Process kills and power loss: acknowledged changes are durable, other changes are atomic."""
