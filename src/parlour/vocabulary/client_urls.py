"""Labels: what stands in front of the paths that travel inside a connection.

Clients take URLs apart into host and path and send both through their connection; the host is
never looked up. These are the names that clients use by themselves.
"""

from __future__ import annotations

from typing import Final

COMMANDS: Final = "https://aim.us1.twilio.com/Client/v2"
"""Where commands are sent."""
