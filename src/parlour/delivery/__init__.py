"""What leaves the server because something happened."""
