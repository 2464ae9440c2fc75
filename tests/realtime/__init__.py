"""What connected users may do and see, and what their clients are answered."""
