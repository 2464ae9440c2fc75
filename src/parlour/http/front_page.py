"""The page at ``/`` for browsers, in place of a password dialogue.

Only a request that accepts ``text/html`` by name gets it; programs get the response of the API. The
page loads no resources, runs no scripts and cannot be framed.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from parlour import __version__
from parlour.http.console_requests import CONSOLE_ROOT
from parlour.http.messages import Response

_STYLE: Final = """
:root{color-scheme:light dark;--page:#f6f6f4;--card:#fff;--text:#1c1d1f;
--soft:#5c5f66;--line:#e1e1dc;--link:#0b5cad}
@media(prefers-color-scheme:dark){:root{--page:#141517;--card:#1c1e21;--text:#ececea;
--soft:#a3a6ad;--line:#303338;--link:#7db8f5}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:1rem/1.55 system-ui,sans-serif}
main{max-width:42rem;margin:0 auto;padding:clamp(1.5rem,8vh,6rem) 1.25rem 2rem}
h1{margin:0;font-size:1.75rem;line-height:1.2;letter-spacing:-.02em}
h1 span{margin-left:.25rem;color:var(--soft);font-size:1rem;font-weight:400;letter-spacing:0}
p{margin:.75rem 0 0}
dl{margin:1.75rem 0 0;border:1px solid var(--line);border-radius:.75rem;background:var(--card)}
dl div{display:grid;grid-template-columns:9.5rem 1fr;gap:.15rem 1.25rem;padding:.9rem 1.25rem}
dl div+div{border-top:1px solid var(--line)}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
a{color:var(--link);text-underline-offset:.15em}
a:focus-visible{outline:2px solid;outline-offset:3px;border-radius:.2rem}
code{font:.9em/1.5 ui-monospace,monospace;white-space:nowrap}
@media(max-width:32rem){dl div{grid-template-columns:1fr}}
"""
_CONSOLE_TEXT: Final = (
    f'<a href="{CONSOLE_ROOT}/">The console</a> shows what programs and people do here.'
)
_NO_CONSOLE_TEXT: Final = "There is nothing to log in to in a browser."
_CONSOLE: Final = "{console}"
_PAGE: Final = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Parlour {__version__}</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
<main>
<h1>Parlour <span>{__version__}</span></h1>
<p>This is a self-hosted server of the Conversations API, version 1. Programs and client SDKs use
this address. {_CONSOLE}</p>
<dl>
<div><dt>API reference</dt><dd><a href="https://www.twilio.com/docs/conversations/api">Documentation
of the hosted service</a></dd></div>
<div><dt>Manual</dt><dd>The folder <code>docs</code> of the source;
<code>parlour docs FOLDER</code> writes the reference.</dd></div>
<div><dt>Commands</dt><dd><code>parlour --help</code></dd></div>
<div><dt>Health check</dt><dd><a href="/healthz"><code>/healthz</code></a></dd></div>
</dl>
</main>
</html>
"""
_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

_HEADERS: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"vary", b"Accept"),
)


def front_page(*, has_console: bool) -> Response:
    """Return the response with the page."""
    text = _CONSOLE_TEXT if has_console else _NO_CONSOLE_TEXT
    return Response(200, _PAGE.replace(_CONSOLE, text).encode(), _HEADERS)


def accepts_html(accept: str | None) -> bool:
    """Return whether an Accept header names ``text/html``, as browsers do."""
    for each in (accept or "").split(","):
        kind, *parameters = each.replace(" ", "").lower().split(";")
        if kind == "text/html":
            return not any(_is_zero(parameter) for parameter in parameters)
    return False


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name == "q" and value.strip("0.") == ""
