"""The inspection of a node for operators and the doctor: settings, queues and health."""
