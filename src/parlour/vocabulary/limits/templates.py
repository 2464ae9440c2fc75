"""Limits of content templates and of WhatsApp."""

from __future__ import annotations

# Name of a template at WhatsApp, in characters.
TEMPLATE_APPROVAL_NAME_CHARS_MAX = 512
# Reason of a template's rejection, in characters.
REJECTION_REASON_CHARS_MAX = 1024
# Body of an outbound message to WhatsApp, in characters.
WHATSAPP_BODY_CHARS_MAX = 1600
# Placeholders of a template's text together, in characters: all variables with the longest names.
TEMPLATE_PLACEHOLDERS_CHARS_MAX = 2000
