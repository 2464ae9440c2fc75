"""The options of the WhatsApp Cloud API in the carriers file."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec

from parlour.protocol import addresses
from parlour.protocol.egress_policy import EgressRefused
from parlour.protocol.signatures import PreparedUrl, prepare_url
from parlour.vocabulary import limits
from parlour.vocabulary.redaction import Redacted

_ID: Final = re.compile(r"[0-9]{1,32}")
_VERSION: Final = re.compile(r"v[0-9]{1,3}\.[0-9]{1,3}")


class WhatsappOptions(
    Redacted, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The options; ``phone_numbers`` has the phone number id of each own number (``+1555…``).

    ``app_secret`` signs the webhooks, ``verify_token`` is the text that Meta repeats when the
    webhook is registered. ``media`` is how outbound media are passed on: uploaded, or by a link
    from which Meta downloads them. ``media_hosts`` are the hosts that serve inbound media, next
    to the one of ``base_url``: they get the access token.
    """

    phone_numbers: dict[str, str]
    access_token: str
    app_secret: str
    verify_token: str
    base_url: str = "https://graph.facebook.com"
    version: str = "v25.0"
    media: Literal["upload", "link"] = "upload"
    media_hosts: tuple[str, ...] = ("lookaside.fbsbx.com",)
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=limits.CARRIER_CONCURRENCY_MAX)] = 20


class OwnNumbers:
    """The own numbers: the phone number id of each address, and the address of each id."""

    def __init__(self, options: WhatsappOptions) -> None:
        """Raises ValueError for numbers or ids that are malformed or double."""
        self.ids: dict[str, str] = {}
        for number, phone_number_id in options.phone_numbers.items():
            text = f"{addresses.WHATSAPP}:{number.removeprefix('whatsapp:')}"
            if addresses.parse_proxy_address(text) is None:
                raise ValueError(f"phone_numbers: {number!r} is not a number such as +15551234567")
            if not _ID.fullmatch(phone_number_id):
                raise ValueError(f"phone_numbers: the id of {number} has to be digits")
            self.ids[text] = phone_number_id
        if not self.ids:
            raise ValueError("phone_numbers: at least one number is required")
        self.addresses = {each: text for text, each in self.ids.items()}
        if not len(self.addresses) == len(self.ids) == len(options.phone_numbers):
            raise ValueError("phone_numbers: each number and each id may occur once")


def check_secrets(options: WhatsappOptions) -> None:
    """Raise ValueError for a secret that is empty or cannot be sent in a header."""
    for name in ("access_token", "app_secret", "verify_token"):
        text: str = getattr(options, name)
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(f"{name}: has to be printable ASCII without spaces")


def read_base_url(options: WhatsappOptions) -> PreparedUrl:
    """Return the URL before the path of a request, with the version. Raises ValueError."""
    if not _VERSION.fullmatch(options.version):
        raise ValueError(f"version: {options.version!r} is not of the form v25.0")
    try:
        prepared = prepare_url(f"{options.base_url.rstrip('/')}/{options.version}")
    except EgressRefused as error:
        raise ValueError(f"base_url: {error.reason}") from error
    if "?" in options.base_url or "#" in options.base_url or prepared.credentials is not None:
        raise ValueError("base_url: must have no query, fragment, user name or password")
    return prepared
