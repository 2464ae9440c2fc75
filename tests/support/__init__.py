"""What several kinds of tests need: a real server, a plain client, Node.js, no way out."""
