"""Signatures of webhook requests, as the API documents them.

The signed text is the URL as the sender requested it, and for a posted form each distinct pair of
name and value, sorted. A JSON body is covered by its SHA-256 in the URL's parameter ``bodySHA256``.
The key is the account's auth token; the signature is the HMAC-SHA1 in base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER = "X-Twilio-Signature"


def sign(auth_token: str, url: str, form: Iterable[tuple[str, str]] = ()) -> str:
    """Return the signature of a request; a GET and a JSON body have no form."""
    text = url + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.digest(auth_token.encode(), text.encode(), hashlib.sha1)
    return base64.b64encode(digest).decode("ascii")


def is_signed_form(
    auth_token: str, url: str, form: Iterable[tuple[str, str]], signature: str
) -> bool:
    """Return whether the signature is the one of this URL and form."""
    return hmac.compare_digest(sign(auth_token, url, form).encode(), signature.encode())


def is_signed_json(auth_token: str, url: str, body: bytes, signature: str) -> bool:
    """Return whether the signature is the one of this URL, and the URL has the body's hash."""
    claimed = parse_qs(urlsplit(url).query).get("bodySHA256", [""])[-1].lower()
    is_same_body = hmac.compare_digest(claimed.encode(), hashlib.sha256(body).hexdigest().encode())
    return is_signed_form(auth_token, url, (), signature) and is_same_body
