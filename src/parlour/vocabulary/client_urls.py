"""Base URLs of the requests that clients tunnel through their WebSocket.

Clients split such a URL into host and path and send both through their connection; the host is
never resolved. The names are hard-coded in the official clients.
"""

from __future__ import annotations

from typing import Final

COMMANDS: Final = "https://aim.us1.twilio.com/Client/v2"
"""The base URL of commands."""
