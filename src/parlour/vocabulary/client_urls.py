"""URLs of the client SDKs: their WebSocket, and the requests that they tunnel through it.

Clients split such a URL into host and path and send both through their connection; the host is
never resolved. The names are hard-coded in the official clients.
"""

from __future__ import annotations

from typing import Final

SOCKET_PATH: Final = "/v3/wsconnect"
"""The path of the WebSocket of the client SDKs."""
COMMANDS: Final = "https://aim.us1.twilio.com/Client/v2"
"""The base URL of commands."""
