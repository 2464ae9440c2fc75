"""The page at ``/`` for people: what this server is, in place of a browser's password dialogue.

Only a request that accepts HTML by name gets it; programs get the API's own answer. The page loads
nothing, runs nothing and cannot be framed.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from parlour import __version__
from parlour.http.messages import Reply

_STYLE: Final = "body{font:1rem/1.5 sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}"
_PAGE: Final = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Parlour</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
<h1>Parlour</h1>
<p>This is a server of the Conversations API, version 1, for programs: there is nothing to log in to
here. It is Parlour {__version__}.</p>
<ul>
<li><a href="https://www.twilio.com/docs/conversations/api">The API's documentation</a>
(of the hosted service)</li>
<li><a href="/healthz">Whether the server answers</a></li>
</ul>
<p>Parlour's own documentation is in the folder <code>docs</code> of its source;
<code>parlour docs FOLDER</code> writes the reference, <code>parlour --help</code> lists the
commands.</p>
</html>
"""
_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

FRONT_PAGE: Final = Reply(
    200,
    _PAGE.encode(),
    (
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", _POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-store"),
        (b"vary", b"Accept"),
    ),
)


def accepts_html(accept: str | None) -> bool:
    """Return whether an Accept header names ``text/html``, as those of browsers do."""
    for each in (accept or "").split(","):
        kind, *parameters = each.replace(" ", "").lower().split(";")
        if kind == "text/html":
            return not any(_is_zero(parameter) for parameter in parameters)
    return False


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name == "q" and value.strip("0.") == ""
