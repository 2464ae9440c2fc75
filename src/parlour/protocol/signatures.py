"""`X-Twilio-Signature`: signing, verification, and the URL in the form that is sent and signed.

A receiver rebuilds the URL from the bytes it received: the scheme it serves, the `Host`
header and the request target. A signature is valid only if exactly these bytes were signed.
So the configured URL is parsed once, here, and both the request and the signed text are
built from the same parts. Parts that HTTP cannot carry are dropped or encoded before signing:

- the fragment, user name and password never count;
- the scheme is in lower case, because a receiver only knows `http` or `https`;
- a name with letters beyond ASCII is sent in its ASCII form (IDNA), other characters beyond
  ASCII and spaces are percent-encoded;
- an empty path becomes `/`; a question mark or colon at the end is dropped.

The rest stays as configured: an explicit port is preserved, none is added, and nothing is
re-encoded. See docs/reference/quirks.md#webhook-signatures.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote, quote_plus, unquote_to_bytes

from parlour.protocol.egress_policy import CODE_BAD_URL, EgressRefused, Host, parse_host
from parlour.vocabulary import limits
from parlour.vocabulary.redaction import redacted_url

if TYPE_CHECKING:
    from collections.abc import Iterable

Algorithm = Literal["sha1", "sha256"]

HEADER: Final = "X-Twilio-Signature"
# The query parameter that ties a JSON body to its signed URL.
BODY_HASH: Final = "bodySHA256"

_PORTS: Final = {"http": 80, "https": 443}
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
)
_HOST_AND_PORT: Final = re.compile(r"(?P<host>\[[^\[\]@]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{0,5}))?")
# Never written into a request line: these would end the line or change its meaning.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# A space or a backslash before the path: parsers disagree about the host.
_NOT_IN_AUTHORITY: Final = re.compile(r"[\s\\]")
_UNQUOTED: Final = re.compile(r"[A-Za-z0-9_.~-]*")
_FORM_QUOTES: Final = tuple(quote_plus(bytes([byte])) for byte in range(256))
# Characters allowed on the request line stay as they are, a stray percent sign included.
_UNESCAPED: Final = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True, repr=False)
class PreparedUrl:
    """A URL ready to be requested and signed, both from these parts."""

    scheme: str
    host: Host
    port: int
    host_header: str
    target: str
    credentials: tuple[str, str] | None
    fragment: str | None

    def __repr__(self) -> str:
        """Return the URL without user, password and query."""
        return f"PreparedUrl({redacted_url(self.signed_url)!r})"

    @property
    def signed_url(self) -> str:
        """The URL as the receiver sees it, and as it is signed."""
        return f"{self.scheme}://{self.host_header}{self.target}"

    @property
    def authorization(self) -> str | None:
        """The value of `Authorization` for a user name and password in the URL."""
        if self.credentials is None:
            return None
        written = ":".join(self.credentials).encode()
        return "Basic " + base64.b64encode(written).decode("ascii")


def prepare_url(configured_url: str, query_pairs: Iterable[tuple[str, str]] = ()) -> PreparedUrl:
    """Return the configured URL, with these pairs appended to its query, prepared for sending.

    Raises EgressRefused for a URL that cannot be requested: another scheme, no host, port
    0, an invalid address, control characters.
    """
    prepared = _prepare(configured_url)
    appended = write_form(query_pairs)
    if not appended:
        return prepared
    joint = "&" if "?" in prepared.target else "?"
    return replace(prepared, target=prepared.target + joint + appended)


@functools.lru_cache(maxsize=limits.PREPARED_URLS_MAX)
def _prepare(configured_url: str) -> PreparedUrl:
    match = _URL.fullmatch(configured_url)
    if match is None or _CONTROL.search(configured_url):
        raise EgressRefused("The URL is not an absolute URL.", CODE_BAD_URL)
    scheme = match["scheme"].lower()
    if scheme not in _PORTS:
        raise EgressRefused("The URL is neither http nor https.", CODE_BAD_URL)
    user_info, at, address = match["authority"].rpartition("@")
    parts = _HOST_AND_PORT.fullmatch(address)
    if "@" in user_info or parts is None or _NOT_IN_AUTHORITY.search(match["authority"]):
        raise EgressRefused("The URL's host can be read in several ways.", CODE_BAD_URL)
    host = parse_host(parts["host"])
    port = int(parts["port"] or _PORTS[scheme])
    if not 0 < port <= limits.PORT_MAX:
        raise EgressRefused("The URL's port does not exist.", CODE_BAD_URL)
    query = quote(match["query"] or "", safe=_UNESCAPED)
    return PreparedUrl(
        scheme=scheme,
        host=host,
        port=port,
        host_header=f"{host.text}:{parts['port']}" if parts["port"] else host.text,
        target=quote(match["path"] or "/", safe=_UNESCAPED) + ("?" + query if query else ""),
        credentials=_read_credentials(user_info) if at and user_info else None,
        fragment=match["fragment"],
    )


def _read_credentials(user_info: str) -> tuple[str, str]:
    user, _, password = user_info.partition(":")
    return _decode(user), _decode(password)


def _decode(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "replace")


def write_form(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the pairs in form encoding, in the given order; a space is a plus sign."""
    return "&".join([f"{_quote_form(name)}={_quote_form(value)}" for name, value in pairs])


def _quote_form(text: str) -> str:
    # As `urllib.parse.quote_plus`, and several times faster: it runs for each webhook.
    # Fast path for names, SIDs and numbers, which are the majority.
    if (text.isascii() and text.isalnum()) or _UNQUOTED.fullmatch(text):
        return text
    return text.encode().decode("latin-1").translate(_FORM_QUOTES)


# --- Signing ----------------------------------------------------------------------------


def sign(
    key: str,
    signed_url: str,
    form_pairs: Iterable[tuple[str, str]] = (),
    algorithm: Algorithm = "sha1",
) -> str:
    """Return the signature of a request: of the URL, and the decoded pairs of a posted form.

    A GET request or a JSON body has no pairs: its URL covers everything. Names are in byte order,
    and a name's values count once each, in order.
    """
    text = signed_text(signed_url, form_pairs)
    digest = hmac.digest(key.encode(), text.encode(), algorithm)
    return base64.b64encode(digest).decode("ascii")


def signed_text(signed_url: str, form_pairs: Iterable[tuple[str, str]] = ()) -> str:
    """Return the text that `sign` signs."""
    return signed_url + "".join(name + value for name, value in sorted(set(form_pairs)))


def hash_body(body: bytes) -> str:
    """Return the value of `bodySHA256` for a body that is not a form."""
    return hashlib.sha256(body).hexdigest()


def prepare_json_url(configured_url: str, body: bytes) -> PreparedUrl:
    """Return the URL for a JSON body: its signature covers the body through its hash."""
    return prepare_url(configured_url, [(BODY_HASH, hash_body(body))])


# --- Verifying --------------------------------------------------------------------------


def is_signed(
    key: str,
    url: str,
    signature: str,
    form_pairs: Iterable[tuple[str, str]] = (),
    algorithm: Algorithm = "sha1",
) -> bool:
    """Return whether a received request is signed with the key.

    The port may be signed or not, because senders and proxies differ.
    """
    pairs = tuple(form_pairs)
    given = signature.encode("utf-8", "replace")
    matches = [
        hmac.compare_digest(sign(key, candidate, pairs, algorithm).encode(), given)
        for candidate in _with_and_without_port(url)
    ]
    return any(matches)


def is_signed_json(
    key: str, url: str, signature: str, body: bytes, algorithm: Algorithm = "sha1"
) -> bool:
    """Return whether a request and its JSON body are signed with the key."""
    claimed = re.search(rf"[?&]{BODY_HASH}=([0-9A-Fa-f]*)", url)
    if claimed is None:
        return False
    is_same_body = hmac.compare_digest(claimed[1].lower(), hash_body(body))
    return is_signed(key, url, signature, (), algorithm) and is_same_body


def _with_and_without_port(url: str) -> tuple[str, ...]:
    match = _URL.fullmatch(url)
    if match is None or match["scheme"].lower() not in _PORTS:
        return (url,)
    start, end = match.span("authority")
    address = match["authority"].rpartition("@")[2]
    parts = _HOST_AND_PORT.fullmatch(address)
    if parts is None:
        return (url,)
    default_port = _PORTS[match["scheme"].lower()]
    hosts = (address, parts["host"], f"{parts['host']}:{parts['port'] or default_port}")
    return tuple(dict.fromkeys(url[:start] + host + url[end:] for host in hosts))
