"""What the clients were told, what is kept, and the difference: shared by all crash tests."""
