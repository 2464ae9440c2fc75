"""PDUs of SMPP 3.4, built and parsed with the codec of smpplib.

Of smpplib only the codec of single PDUs is used: its sockets block, and its `gsm` module divides
escape and surrogate pairs. The codec truncates texts that are too long, and ends an identifier
without a terminator one character early; both are checked or avoided here.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec
from smpplib import command as smpp_command
from smpplib import consts as smpp_consts

from parlour.vocabulary import limits

HEADER: Final = struct.Struct(">IIII")
"""Length, command, status and sequence number."""

RESPONSE: Final = 0x8000_0000
"""The bit of a command that makes it the response."""
GENERIC_NACK: Final = 0x8000_0000
BIND_RECEIVER: Final = 0x01
BIND_TRANSMITTER: Final = 0x02
SUBMIT_SM: Final = 0x04
DELIVER_SM: Final = 0x05
UNBIND: Final = 0x06
BIND_TRANSCEIVER: Final = 0x09
OUTBIND: Final = 0x0B
ENQUIRE_LINK: Final = 0x15
ALERT_NOTIFICATION: Final = 0x102
DATA_SM: Final = 0x103

TLV_RECEIPTED_MESSAGE_ID: Final = 0x001E
TLV_SAR_REFERENCE: Final = 0x020C
TLV_SAR_TOTAL: Final = 0x020E
TLV_SAR_NUMBER: Final = 0x020F
TLV_NETWORK_ERROR_CODE: Final = 0x0423
TLV_MESSAGE_PAYLOAD: Final = 0x0424
TLV_MESSAGE_STATE: Final = 0x0427

SEQUENCE_MAX: Final = 0x7FFF_FFFF

_BINDS: Final = {
    BIND_RECEIVER: "bind_receiver",
    BIND_TRANSMITTER: "bind_transmitter",
    BIND_TRANSCEIVER: "bind_transceiver",
}


class PduError(ValueError):
    """The bytes are no PDU of SMPP 3.4."""


class SubmitPdu(msgspec.Struct, frozen=True):
    """The fields of a submit_sm that differ from its defaults.

    ``sar`` are the values of the optional parameters for parts: reference, total, number.
    """

    source_ton: int
    source_npi: int
    source: str
    destination_ton: int
    destination_npi: int
    destination: str
    content: bytes
    data_coding: int
    esm_class: int = 0
    sar: tuple[int, int, int] | None = None
    service_type: str = ""
    validity_period: str = ""
    registered_delivery: int = 0


class DeliveredPdu(msgspec.Struct, frozen=True):
    """The content of a deliver_sm or data_sm; ``tlvs`` are its optional parameters by tag."""

    source_ton: int
    source: str
    destination_ton: int
    destination: str
    esm_class: int
    data_coding: int
    content: bytes
    tlvs: dict[int, bytes]


def build_header(command: int, sequence: int, status: int = 0) -> bytes:
    """Return a PDU without a body."""
    return HEADER.pack(HEADER.size, command, status, sequence)


def build_response(command: int, sequence: int, status: int = 0) -> bytes:
    """Return the response to a request; that to a message has an empty message_id."""
    body = b"\0" if command in {DELIVER_SM, DATA_SM} else b""
    return HEADER.pack(HEADER.size + len(body), command | RESPONSE, status, sequence) + body


def build_bind(
    command: int, sequence: int, *, system_id: str, password: str, system_type: str
) -> bytes:
    """Return the request that opens a session."""
    return _generate(
        _BINDS[command],
        sequence,
        system_id=system_id,
        password=password,
        system_type=system_type,
        address_range="",
    )


def build_submit(submission: SubmitPdu, sequence: int) -> bytes:
    """Return a submit_sm. Raises ValueError for a field that does not fit."""
    for address in (submission.source, submission.destination):
        if len(address) > limits.SMPP_ADDRESS_CHARS_MAX or not address.isascii():
            raise ValueError(f"the address {address!r} does not fit into a PDU")
    if len(submission.content) > limits.SMPP_CONTENT_BYTES_MAX:
        raise ValueError("the content does not fit into a PDU")
    optional: dict[str, int] = {}
    if submission.sar is not None:
        names = ("sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum")
        optional = dict(zip(names, submission.sar, strict=True))
    return _generate(
        "submit_sm",
        sequence,
        service_type=submission.service_type,
        source_addr_ton=submission.source_ton,
        source_addr_npi=submission.source_npi,
        source_addr=submission.source,
        dest_addr_ton=submission.destination_ton,
        dest_addr_npi=submission.destination_npi,
        destination_addr=submission.destination,
        esm_class=submission.esm_class,
        data_coding=submission.data_coding,
        schedule_delivery_time="",
        validity_period=submission.validity_period,
        registered_delivery=submission.registered_delivery,
        short_message=submission.content,
        **optional,
    )


def parse_delivered(pdu: bytes) -> DeliveredPdu:
    """Return the content of a deliver_sm or data_sm. Raises PduError."""
    is_data = HEADER.unpack_from(pdu)[1] == DATA_SM
    parsed: Any = _DataSm() if is_data else _DeliverSm()
    try:
        parsed.parse(pdu)
    except (struct.error, TypeError) as error:
        raise PduError(f"a message ends early: {error}") from None
    content = b"" if is_data else parsed.short_message or b""
    if not is_data and len(content) != parsed.sm_length:
        raise PduError("a message is shorter than its sm_length")
    if parsed.data_coding is None:
        raise PduError("a message ends before its data_coding")
    return DeliveredPdu(
        source_ton=parsed.source_addr_ton,
        source=_address(parsed.source_addr),
        destination_ton=parsed.dest_addr_ton,
        destination=_address(parsed.destination_addr),
        esm_class=parsed.esm_class,
        data_coding=parsed.data_coding,
        content=content or parsed.tlvs.get(TLV_MESSAGE_PAYLOAD, b""),
        tlvs=parsed.tlvs,
    )


def describe(status: int) -> str:
    """Return a status and its name, for the log."""
    return f"0x{status:02x} {smpp_consts.DESCRIPTIONS.get(status, 'unknown status')}"


def parse_text(octets: bytes) -> str:
    """Return a text that ends at its first zero octet, or without one at the end."""
    return octets.split(b"\0", 1)[0].decode("latin-1").strip()


def _generate(name: str, sequence: int, **fields: Any) -> bytes:
    pdu = smpp_command.factory(name, sequence=sequence, **fields)
    # The constructor ignores the number that it is given.
    pdu.sequence = sequence
    generated: bytes = pdu.generate()
    return generated


def _address(octets: bytes) -> str:
    text = parse_text(octets)
    if not text or len(text) > limits.SMPP_INBOUND_ADDRESS_CHARS_MAX:
        raise PduError(f"an address has {len(text)} characters")
    return text


def _read_tlvs(octets: bytes) -> dict[int, bytes]:
    tlvs: dict[int, bytes] = {}
    place = 0
    while place < len(octets):
        tag, size = struct.unpack_from(">HH", octets, place)
        value = octets[place + 4 : place + 4 + size]
        if len(value) != size:
            raise PduError("an optional parameter ends early")
        tlvs.setdefault(tag, value)
        place += 4 + size
    return tlvs


class _Strict:
    """Overrides of smpplib's parser that fail where it guesses."""

    tlvs: dict[int, bytes]

    def _parse_string(
        self, field: str, data: bytes, pos: int, length: int | None = None
    ) -> tuple[bytes, int]:
        """Fail without a terminator: the parent would continue at the start of the body."""
        if data.find(b"\0", pos) < 0:
            raise PduError(f"{field} has no end")
        parent: Any = super()
        parse = parent._parse_string  # noqa: SLF001 - an override calls its parent.
        parsed: tuple[bytes, int] = parse(field, data, pos, length)
        return parsed

    def parse_optional_params(self, data: bytes) -> None:
        """Keep the octets: the parent fails for a tag that it does not know."""
        self.tlvs = _read_tlvs(data)


class _DeliverSm(_Strict, smpp_command.DeliverSM):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__("deliver_sm", sequence=0)
        self.tlvs = {}
        # The parent has other defaults, which would hide that the PDU ends early.
        self.data_coding = self.sm_length = None


class _DataSm(_Strict, smpp_command.DataSM):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__("data_sm", sequence=0)
        self.tlvs = {}
        self.data_coding = None
