"""The notification settings of a service: which events are pushed, with which templates."""
