"""The options of an HTTP provider in the carriers file."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec

from parlour.protocol.egress_policy import EgressRefused
from parlour.protocol.signatures import HEADER, PreparedUrl, prepare_url
from parlour.vocabulary import limits
from parlour.vocabulary.redaction import Redacted

SignatureScheme = Literal["twilio", "twilio-sha256", "body-sha256", "header", "none"]
"""How callbacks are authenticated.

- ``twilio``: HMAC-SHA1 of the URL and the sorted parameters, Base64, in `X-Twilio-Signature`;
  ``twilio-sha256``: the same with SHA-256;
- ``body-sha256``: HMAC-SHA256 of the raw body, hexadecimal or Base64, in a named header;
- ``header``: the secret itself in a named header;
- ``none``: callbacks are not authenticated.
"""

SIGNS_URL: Final = frozenset({"twilio", "twilio-sha256"})
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_SET_BY_CLIENT: Final = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "authorization"}
)


class HttpProviderOptions(
    Redacted, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The options; ``base_url`` is the part of the API's URLs before ``/2010-04-01``.

    The credentials are the account SID and ``auth_token``, or an API key. ``signature_secret``
    defaults to ``auth_token``. ``content_sids`` maps a template's content SID or friendly name to
    the provider's content SID; ``error_codes`` maps its error codes to the API's. ``media_hosts``
    are hosts to which the download of a medium may be redirected.
    """

    base_url: str
    account_sid: str
    auth_token: str = ""
    api_key_sid: str = ""
    api_key_secret: str = ""
    messaging_service_sid: str = ""
    status_callback: bool = True
    signature: SignatureScheme = "twilio"
    signature_header: str = ""
    signature_secret: str = ""
    idempotency_header: str = ""
    sends_groups: bool = False
    content_sids: dict[str, str] = {}
    error_codes: dict[str, int] = {}
    media_hosts: tuple[str, ...] = ()
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=limits.CARRIER_CONCURRENCY_MAX)] = 10


class CallbackKey(Redacted, msgspec.Struct, frozen=True):
    """What authenticates callbacks: the scheme, its header in lower case, and its secret."""

    scheme: SignatureScheme
    header: str
    secret: str


def read_base_url(options: HttpProviderOptions) -> PreparedUrl:
    """Return the URL of the account's resources, without a suffix. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", options.account_sid):
        raise ValueError("account_sid: has to be letters, digits, '-' and '_'")
    url = f"{options.base_url.rstrip('/')}/2010-04-01/Accounts/{options.account_sid}"
    try:
        prepared = prepare_url(url)
    except EgressRefused as error:
        raise ValueError(f"base_url: {error.reason}") from error
    if "?" in options.base_url or "#" in options.base_url or prepared.credentials is not None:
        raise ValueError("base_url: must have no query, fragment, user name or password")
    return prepared


def read_credentials(options: HttpProviderOptions) -> tuple[str, str]:
    """Return the user name and password of the API. Raises ValueError."""
    if bool(options.api_key_sid) != bool(options.api_key_secret):
        raise ValueError("api_key_sid and api_key_secret: one of them is missing")
    if options.api_key_sid:
        return options.api_key_sid, options.api_key_secret
    if not options.auth_token:
        raise ValueError("auth_token: is required, or api_key_sid and api_key_secret")
    return options.account_sid, options.auth_token


def read_callback_key(options: HttpProviderOptions) -> CallbackKey:
    """Return what authenticates callbacks. Raises ValueError."""
    header, secret = options.signature_header, options.signature_secret
    if options.signature == "none":
        if header or secret:
            raise ValueError("signature: 'none' takes neither signature_header nor _secret")
        return CallbackKey("none", "", "")
    if options.signature in SIGNS_URL:
        header, secret = header or HEADER, secret or options.auth_token
    if not secret:
        raise ValueError(f"signature_secret: is required by the signature {options.signature!r}")
    if not _HEADER_NAME.fullmatch(header):
        raise ValueError(f"signature_header: {header!r} is not the name of a header")
    return CallbackKey(options.signature, header.lower(), secret)


def check_idempotency_header(options: HttpProviderOptions) -> None:
    """Raise ValueError if the header of the idempotency key cannot be sent."""
    name = options.idempotency_header
    if name and (not _HEADER_NAME.fullmatch(name) or name.lower() in _SET_BY_CLIENT):
        raise ValueError(f"idempotency_header: {name!r} is not the name of a free header")
