"""E-mail: outbound by SMTP to a relay, inbound by a listener for the operator's domains.

Pure modules: `outgoing` builds a mail, `incoming` reads one, `bounces` reads delivery status
notifications; `mime`, `header_text`, `html_text` and `reply_text` are what they share. The others
do I/O: `submission` talks to the relay, `listener` to the peers, `carrier` joins both.
"""
