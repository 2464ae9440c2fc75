"""Each response has the documented shape, whatever is requested, and OpenAPI describes it."""
