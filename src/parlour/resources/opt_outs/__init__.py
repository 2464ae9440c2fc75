"""Opt-outs: recipients who refuse messages from a sender."""
