"""The WhatsApp Cloud API: messages, templates and media out, signed webhooks in."""
