"""Limits of content templates and of WhatsApp."""

from __future__ import annotations

from parlour.vocabulary.limits.units import MEBIBYTE

# Name of a template at WhatsApp, in characters.
TEMPLATE_APPROVAL_NAME_CHARS_MAX = 512
# Reason of a template's rejection, in characters.
REJECTION_REASON_CHARS_MAX = 1024
# Body of an outbound message to WhatsApp, in characters.
WHATSAPP_BODY_CHARS_MAX = 1600
# Placeholders of a template's text together, in characters: all variables with the longest names.
TEMPLATE_PLACEHOLDERS_CHARS_MAX = 2000
# Caption of a medium at WhatsApp, in characters; a message with a longer one fails with 21617.
WHATSAPP_CAPTION_CHARS_MAX = 1024
# Medium that is uploaded to WhatsApp, in bytes; a message with a larger one fails with 11751.
WHATSAPP_UPLOAD_BYTES_MAX = 16 * MEBIBYTE
# Concurrent uploads of one carrier, each in memory as a whole; others wait.
WHATSAPP_UPLOADS_MAX = 2
# Text that Meta sends when the webhook is registered, in characters; beyond it 400.
WHATSAPP_CHALLENGE_CHARS_MAX = 1024
# Identifier of a message at WhatsApp, in characters; a message with a longer one is skipped.
WHATSAPP_MESSAGE_ID_CHARS_MAX = 256
# One text of an inbound message's metadata, in characters; the rest is cut off.
WHATSAPP_METADATA_CHARS_MAX = 4096
