"""Lost databases, networks, nodes, Redis: requests fail cleanly, no acknowledged change is lost."""
