"""Virtual phones: the far side of the virtual carrier, and their inboxes."""
