"""The 24-hour windows of WhatsApp users."""
