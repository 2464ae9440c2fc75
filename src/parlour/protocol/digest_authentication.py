"""HTTP Digest authentication of webhook requests.

A challenge is answered once, with the strongest algorithm that it offers. Unsupported challenges
are not answered, and the 401 is the result of the attempt. See RFC 7616, and RFC 2069 for
challenges without a `qop`.
"""

from __future__ import annotations

import hashlib
import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# Weakest first. MD5 only if the receiver offers nothing else.
_ALGORITHMS: Final = ("MD5", "MD5-SESS", "SHA-256", "SHA-256-SESS")
_HASHES: Final[dict[str, Callable[[bytes], hashlib._Hash]]] = {
    "MD5": lambda text: hashlib.md5(text, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
}
_SCHEME: Final = re.compile(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9-]*)\s+(?=[A-Za-z]+\s*=)")
_PARAMETER: Final = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)')
_ESCAPED: Final = re.compile(r"\\(.)")
_NONCE_COUNT: Final = "00000001"


def answer_challenge(
    challenges: Iterable[str],
    credentials: tuple[str, str],
    method: str,
    target: str,
    client_nonce: str,
) -> str | None:
    """Return the value of `Authorization` for values of `WWW-Authenticate`, or None.

    ``target`` is the path and query as requested; ``client_nonce`` is used once.
    """
    found = [
        challenge
        for text in challenges
        if len(text) <= limits.CHALLENGE_CHARS_MAX
        for challenge in _read(text)
        if _is_understood(challenge)
    ]
    if not found:
        return None
    strongest = max(found, key=lambda each: _ALGORITHMS.index(_algorithm_of(each)))
    if _CONTROL.search(credentials[0]):
        return None  # A user name in a URL may have escaped line breaks: no header can contain it.
    return _write(strongest, credentials, method, target, client_nonce)


def _read(text: str) -> list[dict[str, str]]:
    """Return the Digest challenges of a header, which may have other schemes too."""
    found = []
    schemes = list(_SCHEME.finditer(text))
    for scheme, following in zip_longest(schemes, schemes[1:]):
        if scheme[1].lower() == "digest":
            end = following.start() if following else len(text)
            pairs = _PARAMETER.finditer(text[scheme.end() : end])
            found.append({each[1].lower(): _value(each) for each in pairs})
    return found


def _value(pair: re.Match[str]) -> str:
    return pair[3] if pair[2] is None else _ESCAPED.sub(r"\1", pair[2])


def _algorithm_of(challenge: Mapping[str, str]) -> str:
    return challenge.get("algorithm", "MD5").upper()


def _is_understood(challenge: Mapping[str, str]) -> bool:
    """Return whether the challenge is supported: `auth`, not `auth-int`."""
    qualities = challenge.get("qop", "auth").lower().replace(" ", "").split(",")
    names_needed = {"realm", "nonce"} <= challenge.keys()
    return names_needed and "auth" in qualities and _algorithm_of(challenge) in _ALGORITHMS


def _write(
    challenge: Mapping[str, str],
    credentials: tuple[str, str],
    method: str,
    target: str,
    client_nonce: str,
) -> str:
    user, password = credentials
    algorithm = _algorithm_of(challenge)
    hashed = _HASHES[algorithm.removesuffix("-SESS")]

    def digest(*parts: str) -> str:
        return hashed(":".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

    nonce = challenge["nonce"]
    secret = digest(user, challenge["realm"], password)
    if algorithm.endswith("-SESS"):
        secret = digest(secret, nonce, client_nonce)
    request = digest(method, target)
    shown = {
        "username": _quoted(user.encode().decode("latin-1")),
        "realm": _quoted(challenge["realm"]),
        "nonce": _quoted(nonce),
        "uri": _quoted(target),
        "algorithm": challenge.get("algorithm"),
        "opaque": _quoted(challenge["opaque"]) if "opaque" in challenge else None,
    }
    middle: tuple[str, ...] = (nonce,)
    if "qop" in challenge:
        middle = (nonce, _NONCE_COUNT, client_nonce, "auth")
        shown |= {"qop": "auth", "nc": _NONCE_COUNT, "cnonce": _quoted(client_nonce)}
    shown["response"] = _quoted(digest(secret, *middle, request))
    return "Digest " + ", ".join(f"{name}={text}" for name, text in shown.items() if text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
