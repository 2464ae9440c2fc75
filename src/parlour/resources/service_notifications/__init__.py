"""The notification settings of a service: which events are pushed to phones, and as what."""
