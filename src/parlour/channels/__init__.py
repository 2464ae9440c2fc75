"""Messaging channels outside the chat, such as SMS: the sink and the carriers."""
