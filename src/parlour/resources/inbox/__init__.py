"""The inbox: inbound messages of carriers, stored before they are acknowledged."""
