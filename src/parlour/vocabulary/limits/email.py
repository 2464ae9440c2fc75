"""Limits of the e-mail carrier.

A mail from outside is refused beyond the limits of its size, parts, levels and headers; the other
limits bound the text that is read.
"""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# Local part of an address, in octets (RFC 5321, 4.5.3.1.1).
EMAIL_LOCAL_PART_CHARS_MAX = 64
# Message-IDs in References and In-Reply-To of one mail, the last ones.
EMAIL_REFERENCES_MAX = 50
# Characters at the end of the header References that are read: all of those, at 1000 each.
EMAIL_REFERENCES_CHARS_MAX = 50 * KIBIBYTE
# One mail in or out, in bytes, with its attachments encoded.
EMAIL_BYTES_MAX = 20 * MEBIBYTE
# Header fields of a mail or of one of its parts together, in bytes.
EMAIL_HEADER_BYTES_MAX = 128 * KIBIBYTE
# Header fields of a mail or of one of its parts.
EMAIL_HEADER_FIELDS_MAX = 1000
# Levels of multiparts in a mail.
EMAIL_DEPTH_MAX = 20
# Parts of a mail that contain no parts: texts and attachments.
EMAIL_PARTS_MAX = 200
# Characters read of the header Subject, a display name or a parameter.
EMAIL_HEADER_CHARS_READ_MAX = 4 * KIBIBYTE
# Parameters read of a header like Content-Type.
EMAIL_PARAMETERS_MAX = 50
# Characters read of a header with addresses.
EMAIL_ADDRESSES_CHARS_READ_MAX = 32 * KIBIBYTE
# Recipients in the envelope of an inbound mail, in its headers, and in a notification.
EMAIL_RECIPIENTS_MAX = 100
# Bytes of base64 decoded in one step, so that other threads run in between.
EMAIL_DECODED_BYTES_PER_STEP = 256 * KIBIBYTE
# Characters read of an HTML text where a mail has no plain one.
EMAIL_HTML_CHARS_READ_MAX = 256 * KIBIBYTE
# Levels of quotations in a text made from HTML.
EMAIL_QUOTE_LEVELS_MAX = 10
# Places in a mail where the start of a quotation is looked for.
EMAIL_QUOTATIONS_TRIED_MAX = 8
# Characters read of a line before a quotation.
EMAIL_INTRODUCTION_LINE_CHARS_MAX = 200
# Reason of a mail server in the log, in characters.
EMAIL_DETAIL_CHARS_MAX = 500
# Message-IDs in the header References of an outbound mail, the last ones.
EMAIL_REFERENCES_SENT_MAX = 20
# Inbound SMTP connections; a further one gets 421.
EMAIL_CONNECTIONS_MAX = 100
# The same for one address of a peer.
EMAIL_CONNECTIONS_PER_PEER_MAX = 20
# Inbound mails in transfer or being stored, each in memory; a further one gets 451.
EMAIL_INBOUND_MAILS_MAX = 8
# How long a peer may take for one command, or for the whole content of a mail.
EMAIL_COMMAND_SECONDS_MAX = 180
# One line of an inbound mail.
EMAIL_LINE_BYTES_MAX = 64 * KIBIBYTE
# Reason in the response to a refused mail, in characters.
EMAIL_REFUSAL_CHARS_MAX = 200
# Timeout of one response of the SMTP relay.
EMAIL_RELAY_SECONDS_MAX = 60
# Connections to the SMTP relay, each for one mail at a time.
EMAIL_RELAY_CONNECTIONS_MAX = 4
# How long an unused connection to the SMTP relay stays open: less than relays wait.
EMAIL_RELAY_IDLE_SECONDS_MAX = 30
# Delay of the retry after a transient refusal by the relay (4xx).
EMAIL_RETRY_SECONDS = 60
# Retries of a mail of which a relay defers some recipients; afterwards the others get it.
EMAIL_DEFERRALS_MAX = 5
# Retry interval of the listener while its port is in use.
EMAIL_LISTENER_RETRY_SECONDS = 1
# The name of a channel in MessagingBinding.Type, in characters.
BINDING_TYPE_CHARS_MAX = 32
