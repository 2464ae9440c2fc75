"""The virtual carrier: it delivers to virtual phones, which send through it."""
