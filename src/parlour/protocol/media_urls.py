"""Signed temporary URLs of media: a bearer may download for a few minutes.

The path names the account, the service and the medium; the query has the expiry, the user's SID
(empty for the account itself) and a signature of all of it. Each download checks again whether that
user may see the medium: a URL never grants more than its user's access at that moment.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

import msgspec

from parlour.protocol.forms import parse_query
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope

PREFIX: Final = "/media-direct/"
_PREFIXES: Final = (sids.ACCOUNT, sids.SERVICE, sids.MEDIA)
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}\Z")
_SECONDS: Final = re.compile(r"[0-9]{1,12}\Z")


class MediaLink(msgspec.Struct, frozen=True):
    """The claims of a temporary URL; ``user_sid`` is empty for the account itself."""

    scope: Scope
    sid: str
    user_sid: str
    expires_seconds: int


class MediaUrls:
    """Signs and verifies temporary URLs with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, link: MediaLink) -> str:
        """Return the signed URL without scheme and host."""
        path = f"{PREFIX}{link.scope.account_sid}/{link.scope.service_sid}/{link.sid}"
        viewer = f"&User={link.user_sid}" if link.user_sid else ""
        return f"{path}?Expires={link.expires_seconds}{viewer}&Signature={self._signature(link)}"

    def verify(self, path: str, query: bytes, now_ms: int) -> MediaLink:
        """Return the claims of a requested URL. Raises 403 for every defect."""
        link, signature = _claimed(path, query)
        if not hmac.compare_digest(self._signature(link), signature):
            raise ApiError(20403)
        if link.expires_seconds * 1000 <= now_ms:
            raise ApiError(20403)
        return link

    def _signature(self, link: MediaLink) -> str:
        scope = link.scope
        signed = (
            scope.account_sid,
            scope.service_sid,
            link.sid,
            link.user_sid,
            link.expires_seconds,
        )
        return hmac.digest(self._key, repr(signed).encode(), hashlib.sha256).hex()


def new_link(scope: Scope, sid: str, user_sid: str, now_ms: int) -> MediaLink:
    """Return a link that expires MEDIA_URL_SECONDS from now."""
    return MediaLink(scope, sid, user_sid, now_ms // 1000 + limits.MEDIA_URL_SECONDS)


def _claimed(path: str, query: bytes) -> tuple[MediaLink, str]:
    """Return the claims of a URL and its signature. Raises 403 for a malformed URL."""
    names = path.removeprefix(PREFIX).split("/")
    try:
        parameters = {name: texts[-1] for name, texts in parse_query(query).items()}
    except ApiError:
        raise ApiError(20403) from None
    user_sid, expires = parameters.get("User", ""), parameters.get("Expires", "")
    signature = parameters.get("Signature", "")
    is_ours = (
        path.startswith(PREFIX)
        and len(names) == 3
        and all(sids.is_sid(*pair) for pair in zip(_PREFIXES, names, strict=True))
        and (not user_sid or sids.is_sid(sids.USER, user_sid))
        and _SECONDS.match(expires)
        and _SIGNATURE.match(signature)
    )
    if not is_ours:
        raise ApiError(20403)
    account_sid, service_sid, sid = names
    return MediaLink(Scope(account_sid, service_sid), sid, user_sid, int(expires)), signature
