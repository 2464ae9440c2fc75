"""The error codes of receipts and of webhook attempts, which are never HTTP answers."""

from __future__ import annotations

TABLE = """
11200 0 HTTP retrieval failure
    A webhook's answer could not be read.
11205 0 HTTP connection failure
    No connection to the webhook's host was made.
11206 0 HTTP protocol violation
    The webhook's host did not speak HTTP.
11210 0 HTTP bad host name
    The webhook's host name was not found.
11215 0 HTTP too many redirects
    The webhook redirected too often.
11217 0 HTTP error response code
    The webhook answered with an error status.
11220 0 SSL/TLS Handshake Error
    The TLS handshake with the webhook's host failed.
11235 0 Certificate Invalid - Domain Mismatch
    The certificate of the webhook's host names another host.
11236 0 Certificate Invalid - Certificate Expired
    The certificate of the webhook's host has expired.
11237 0 Certificate Invalid - Could not find path to certificate
    The certificate of the webhook's host has no known issuer.
21211 0 Invalid 'To' Phone Number
    The recipient's number is malformed.
21408 0 Permission to send an SMS has not been enabled for the region indicated by the \
'To' number
    The account may not send to the recipient's region.
21610 0 Attempt to send to unsubscribed recipient
    The recipient asked for no more messages.
21612 0 The 'To' phone number is not currently reachable via SMS
    The carrier cannot reach the recipient's number from this sender.
21614 0 'To' number is not a valid mobile number
    The recipient's number is not a mobile one.
21617 0 The concatenated message body exceeds the 1600 character limit
    The body is longer than a text message may be.
30001 0 Queue overflow
    The sender's queue at the carrier is full.
30002 0 Account suspended
    The account was suspended between accepting and sending the message.
30003 0 Unreachable destination handset
    The recipient's phone is off or out of reach.
30004 0 Message blocked
    The recipient's carrier or phone blocks the message.
30005 0 Unknown destination handset
    The recipient's number is unknown to its carrier.
30006 0 Landline or unreachable carrier
    The recipient's number cannot take text messages.
30007 0 Message filtered
    A filter for unwanted messages held the message back.
30008 0 Unknown error
    The carrier gave no reason.
30034 0 US A2P 10DLC - Message from an Unregistered Number
    The sender is not registered for business messages.
63001 0 Channel could not authenticate the request. Please see Channel specific error message \
for more information
    The channel rejected the carrier's credentials.
63003 0 Channel could not find To address
    The channel does not know the recipient.
63005 0 Channel did not accept given content. Please see Channel specific error message \
for more information
    The channel refused the message's content.
63007 0 Twilio could not find a Channel with the specified From address
    The sender belongs to no channel of the account.
63012 0 Channel provider returned an internal service error
    The channel's provider failed.
63013 0 Channel policy violation
    The message breaks a rule of the channel.
63015 0 Channel Sandbox can only send messages to phone numbers that have joined the Sandbox
    The recipient has not joined the test sender.
63016 0 Failed to send freeform message because you are outside the allowed window. \
If you are using WhatsApp, please use a Message Template
    The recipient wrote too long ago for a message without a template.
63018 0 Rate limit exceeded for Channel
    The channel takes no more messages from this sender for now.
63019 0 Media failed to download
    The channel could not fetch the medium.
63021 0 Channel invalid content error
    The content is not of a kind the channel carries.
63024 0 Invalid message recipient
    The channel refuses the recipient.
63026 0 Channel spam rate limit exceeded
    The channel restricts the sender, because users blocked or reported its messages.
63027 0 Template does not exist for a language and locale
    The channel knows no approved template of this name and language.
63028 0 Number of parameters provided does not match the expected number of parameters
    A variable of the template has no value, or the channel's template has other variables.
63032 0 We cannot send this message to this user because of a WhatsApp limitation
    WhatsApp does not deliver this message to this user.
63033 0 Recipient blocked to receive message
    The recipient has blocked the sender or has opted out of its marketing.
63038 0 Account exceeded the daily messages limit
    The account has sent as many messages today as it may.
"""
