"""The carrier `smpp`: its options, which need no codec, and its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from parlour.vocabulary import limits
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from parlour.channels.carrier import Carrier, CarrierContext

_PORT: Final = 2775
_TLS_PORT: Final = 3550


class SmppOptions(Redacted, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of an SMPP carrier in the carriers file, with the defaults."""

    hosts: tuple[str, ...]
    """``host`` or ``host:port``; each gets as many links."""
    system_id: str
    password: str = ""
    system_type: str = ""
    links_per_host: int = 1
    bind: Literal["transceiver", "transmitter", "receiver", "separate"] = "transceiver"
    """``separate`` opens a transmitter and a receiver for each link."""
    tls: bool = False
    tls_ca_file: str = ""
    tls_server_name: str = ""
    tls_verify: bool = True
    window: int = 10
    messages_per_second: float = 0
    """The most submissions of one link; 0 for no limit."""
    response_seconds: float = 10
    enquire_seconds: float = 30
    service_type: str = ""
    source_ton: int | None = None
    source_npi: int | None = None
    destination_ton: int | None = None
    destination_npi: int | None = None
    default_alphabet: Literal["gsm7", "latin1"] = "gsm7"
    """The alphabet of data coding 0."""
    gsm7_coding: int = 0
    """The data coding of texts that need no UCS-2."""
    long_messages: Literal["udh", "sar"] = "udh"
    receipts: bool = True
    validity_minutes: int = 0
    submit_id: Literal["text", "hex", "decimal"] = "text"
    """How responses write message identifiers; the next one: how receipts do."""
    receipt_id: Literal["text", "hex", "decimal"] = "text"
    error_codes: dict[str, int] = {}
    """Error codes of receipts, by the SMSC's own code."""
    acknowledge_parts: Literal["stored", "received"] = "stored"
    """Whether a part of a long inbound message is acknowledged once all of it is stored."""
    part_seconds: float = 5
    """How long a part waits for the others before it gets a temporary error."""
    join_seconds: float = 600
    """How long an incomplete message stays in memory."""


class SmppCarrierType:
    """The kind of carrier that connects to SMSCs."""

    options: type[msgspec.Struct] = SmppOptions
    channels: frozenset[str] = frozenset({"sms"})

    def make(self, name: str, options: Any, context: CarrierContext) -> Carrier:
        """Return a carrier. Raises ValueError for options that do not fit, or without the codec."""
        _check(options)
        try:
            from parlour.channels.smpp.adapter import SmppCarrier  # noqa: PLC0415 - an extra.
        except ModuleNotFoundError as error:
            raise ValueError(f"{error.name} is missing: pip install 'parlour[smpp]'") from error
        return SmppCarrier(name, options, context)


CARRIER_TYPE: Final = SmppCarrierType()


def addresses_of(options: SmppOptions) -> list[tuple[str, int]]:
    """Return host and port of each of ``hosts``. Raises ValueError."""
    default = _TLS_PORT if options.tls else _PORT
    return [_split(each, default) for each in options.hosts]


def _split(address: str, default_port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port or default_port
    except ValueError:
        host, port = None, 0
    if not host or parts.netloc != address or parts.username is not None:
        raise ValueError(f"hosts has {address!r}, which is no host or host:port")
    return host, port


def _check(options: SmppOptions) -> None:
    """Check what types cannot express. Raises ValueError with the name of the option."""
    lengths = {
        "system_id": limits.SMPP_SYSTEM_ID_CHARS_MAX,
        "password": limits.SMPP_PASSWORD_CHARS_MAX,
        "system_type": limits.SMPP_SYSTEM_TYPE_CHARS_MAX,
        "service_type": limits.SMPP_SERVICE_TYPE_CHARS_MAX,
    }
    for name, length in lengths.items():
        text = getattr(options, name)
        if len(text) > length or not text.isascii():
            raise ValueError(f"{name} has more than {length} characters, or is not ASCII")
    bounds = {
        "window": (1, limits.SMPP_WINDOW_MAX),
        "links_per_host": (1, limits.SMPP_LINKS_MAX),
        "messages_per_second": (0, limits.SMPP_MESSAGES_PER_SECOND_MAX),
        "response_seconds": (0.1, limits.SMPP_SECONDS_MAX),
        "enquire_seconds": (0.1, limits.SMPP_SECONDS_MAX),
        "part_seconds": (0, limits.SMPP_SECONDS_MAX),
        "join_seconds": (0.1, limits.SMS_JOIN_SECONDS_MAX),
        "validity_minutes": (0, limits.SMPP_VALIDITY_MINUTES_MAX),
        "gsm7_coding": (0, 255),
        "source_ton": (0, 255),
        "source_npi": (0, 255),
        "destination_ton": (0, 255),
        "destination_npi": (0, 255),
    }
    for name, (lowest, highest) in bounds.items():
        number = getattr(options, name)
        if number is not None and not lowest <= number <= highest:
            raise ValueError(f"{name} is {number}, not {lowest} to {highest}")
    if not options.hosts:
        raise ValueError("hosts is empty")
    sessions = len(options.hosts) * options.links_per_host
    if sessions > limits.SMPP_LINKS_MAX:
        raise ValueError(f"{sessions} links are more than {limits.SMPP_LINKS_MAX}")
    if (options.submit_id == "text") != (options.receipt_id == "text"):
        raise ValueError("submit_id and receipt_id: either both are text, or none of them")
    addresses_of(options)
