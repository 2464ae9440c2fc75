"""Run the server with a planted fault: media are served without protective headers."""

from __future__ import annotations

from parlour.cli.main import main
from parlour.http import media
from parlour.protocol import media_headers

media_headers.SECURITY_HEADERS = ()  # type: ignore[misc]
media_headers.content_disposition = lambda _type, _name: "inline"  # type: ignore[assignment]
media_headers.served_type = lambda content_type: content_type  # type: ignore[assignment]
media.SHARED_HEADERS = media.SHARED_HEADERS[:-1]  # type: ignore[misc]

if __name__ == "__main__":
    main()
