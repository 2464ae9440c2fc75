"""Each response to any request has the documented shape, and OpenAPI describes it."""
