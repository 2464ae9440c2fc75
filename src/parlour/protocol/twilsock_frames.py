"""Frames of the socket: the bytes of one WebSocket message, taken apart and put together.

``TWILSOCK V3.0 <H>``, CR LF, H bytes of JSON header, CR LF, the payload, and perhaps CR LF. Both
lengths count bytes of UTF-8; the header's ``payload_size`` is that of the payload. One WebSocket
message is one frame, and always a binary one: the official clients drop text messages. What is
wrong with bytes from outside is a value, ``FrameError``, and never an exception.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final

import msgspec

from parlour.vocabulary import limits

JSON_TYPE: Final = "application/json"

_SDK_VERSION_CHARS: Final = 32
_START: Final = re.compile(rb"TWILSOCK V3\.0 ([0-9]{1,9})\r\n")
_END: Final = b"\r\n"

Header = dict[str, Any]
"""The header of a frame, as JSON."""

_header = msgspec.json.Decoder(dict[str, Any])
_json = msgspec.json.Decoder(msgspec.Raw)


class FrameError(Enum):
    """What is wrong with the bytes of a frame."""

    NOT_TWILSOCK = "it does not begin with TWILSOCK V3.0, a length and CR LF"
    HEADER_TOO_LARGE = "the header is too large, or has too many objects and arrays"
    HEADER_CUT = "the header is shorter than it says, or CR LF does not follow it"
    HEADER_NOT_JSON = "the header is not a JSON object in UTF-8"
    NO_ID = "there is no id, or it is too long"
    NO_METHOD = "there is no method"
    PAYLOAD_SIZE_INVALID = "payload_size is not a number of bytes"
    PAYLOAD_TOO_LARGE = "the payload is too large"
    PAYLOAD_CUT = "the payload is shorter than it says"
    PAYLOAD_TOO_LONG = "something other than CR LF follows the payload"


class Frame(msgspec.Struct, frozen=True):
    """One frame: ``id`` and ``method`` are in the header too."""

    id: str
    method: str
    header: Header
    payload: bytes = b""


# --- Reading ----------------------------------------------------------------------------


def parse(raw: bytes) -> Frame | FrameError:
    """The frame in one WebSocket message of a client, or what is wrong with it."""
    start = _START.match(raw)
    if start is None:
        return FrameError.NOT_TWILSOCK
    size_bytes, begin = int(start[1]), start.end()
    if size_bytes > limits.FRAME_HEADER_BYTES_MAX:
        return FrameError.HEADER_TOO_LARGE
    end = begin + size_bytes
    if raw[end : end + len(_END)] != _END:
        return FrameError.HEADER_CUT
    header = _header_in(raw[begin:end])
    if isinstance(header, FrameError):
        return header
    payload = _payload_of(header, raw, end + len(_END))
    if isinstance(payload, FrameError):
        return payload
    return _frame_of(header, payload)


def _header_in(raw: bytes) -> Header | FrameError:
    # Each of them is an object to make: 64 KiB of brackets would hold up all others.
    has_too_many = raw.count(b"{") + raw.count(b"[") > limits.FRAME_HEADER_OBJECTS_MAX
    try:
        if not has_too_many:
            return _header.decode(raw)
        _json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return FrameError.HEADER_NOT_JSON
    return FrameError.HEADER_TOO_LARGE


def _payload_of(header: Header, raw: bytes, begin: int) -> bytes | FrameError:
    size_bytes = header.get("payload_size", 0)
    if size_bytes is None:
        size_bytes = 0
    if type(size_bytes) is not int or size_bytes < 0:
        return FrameError.PAYLOAD_SIZE_INVALID
    if size_bytes > limits.FRAME_PAYLOAD_BYTES_MAX:
        return FrameError.PAYLOAD_TOO_LARGE
    end = begin + size_bytes
    if len(raw) < end:
        return FrameError.PAYLOAD_CUT
    if len(raw) > end and raw[end:] != _END:
        return FrameError.PAYLOAD_TOO_LONG
    return raw[begin:end]


def _frame_of(header: Header, payload: bytes) -> Frame | FrameError:
    frame_id, method = header.get("id"), header.get("method")
    if not isinstance(frame_id, str) or not 0 < len(frame_id) <= limits.FRAME_ID_CHARS_MAX:
        return FrameError.NO_ID
    if not isinstance(method, str) or not method:
        return FrameError.NO_METHOD
    return Frame(frame_id, method, header, payload)


# --- Writing ----------------------------------------------------------------------------


def write(header: Header, payload: bytes = b"") -> bytes:
    """The bytes of a frame; ``payload_size`` is set here.

    A JSON payload must be written without CR LF: some clients split a frame there.
    """
    written = msgspec.json.encode(header | {"payload_size": len(payload)})
    frame = b"TWILSOCK V3.0 %d\r\n%b\r\n" % (len(written), written)
    return b"%b%b\r\n" % (frame, payload) if payload else frame


def status(
    code: int, text: str, *, description: str | None = None, error_code: int | None = None
) -> dict[str, Any]:
    """What became of something, as frames say it: HTTP's numbers, and an error's code."""
    said: dict[str, Any] = {"code": code, "status": text}
    if description is not None:
        said["description"] = description
    if error_code is not None:
        said["errorCode"] = error_code
    return said


def reply(frame_id: str, said: dict[str, Any] | None = None) -> Header:
    """The answer to the frame with this id; without a status, it is accepted."""
    return {"method": "reply", "id": frame_id, "status": said or status(200, "OK")}


def reply_to_request(
    frame_id: str,
    code: int,
    text: str,
    headers: dict[str, str] | None = None,
    payload_type: str | None = JSON_TYPE,
) -> Header:
    """The answer to a request in a frame: it has arrived, whatever HTTP's status of it is.

    ``payload_type`` is None when no payload follows.
    """
    answered: Header = {"http_status": status(code, text), "http_headers": headers or {}}
    if payload_type is not None:
        answered["payload_type"] = payload_type
        answered["http_headers"] = {"content-type": payload_type} | answered["http_headers"]
    return reply(frame_id) | answered


def notification(frame_id: str, message_type: str, *, notification_ctx_id: str = "") -> Header:
    """News of one type; the payload is JSON."""
    return {
        "method": "notification",
        "id": frame_id,
        "notification_ctx_id": notification_ctx_id,
        "message_type": message_type,
        "payload_type": JSON_TYPE,
    }


def ping(frame_id: str) -> Header:
    """A question whether the client is still there; it answers with a reply."""
    return {"method": "ping", "id": frame_id}


def client_update(frame_id: str, kind: str, message: str) -> Header:
    """Something the client should do: of the kind ``token_about_to_expire``."""
    return {
        "method": "client_update",
        "id": frame_id,
        "client_update_type": kind,
        "client_update_message": message,
    }


def close(frame_id: str, said: dict[str, Any]) -> Header:
    """The end, and why. A payload says when to come back; without a type it counts as JSON."""
    return {"method": "close", "id": frame_id, "status": said}


def backoff(reconnect_ms_min: int, reconnect_ms_max: int) -> bytes:
    """The payload of a close or of a refusal that says when to come back, in milliseconds."""
    assert 0 < reconnect_ms_min <= reconnect_ms_max
    policy = {"reconnect_min_ms": reconnect_ms_min, "reconnect_max_ms": reconnect_ms_max}
    return msgspec.json.encode({"backoff_policy": policy})


def unsupported_sdk(metadata: object) -> str | None:
    """The version of a JavaScript SDK of another protocol, by the ``metadata`` of its ``init``.

    ``@twilio/conversations`` 1.x and most of ``twilio-chat`` open a session as a list of Sync; the
    last ``twilio-chat`` asks for paths below ``/Client/v1``. Neither shows what such a request is
    answered; both show why ``init`` is refused.
    """
    if not isinstance(metadata, dict) or metadata.get("sdk") != "JS":
        return None
    version = str(metadata.get("sdkv"))[:_SDK_VERSION_CHARS]
    if metadata.get("type") == "chat":
        return f"twilio-chat {version}"
    is_early = metadata.get("type") == "conversations" and version.startswith(("0.", "1."))
    return f"conversations {version}" if is_early else None
