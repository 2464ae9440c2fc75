"""Limits of inbound messages of carriers."""

from __future__ import annotations

# Inbound messages of an account that wait for processing; beyond it a carrier gets no
# acknowledgement, and redelivers later.
INBOX_BACKLOG_MAX = 10_000
# How long the identifier of a processed inbound message is stored, to recognise a redelivery.
INBOX_RETENTION_HOURS = 7 * 24
# Expired rows of the inbox, and WhatsApp windows, that one step deletes.
INBOX_EXPIRED_PER_STEP_MAX = 500
# Age of a WhatsApp window at which its row is deleted; the window itself lasts 24 hours.
WHATSAPP_WINDOW_RETENTION_HOURS = 48
# Inbound messages that one step of the sweep after crashes starts to process.
INBOX_SWEPT_PER_STEP_MAX = 200
# Earlier messages that are compared with a group message, to find its copies.
GROUP_COPIES_MAX = 100
