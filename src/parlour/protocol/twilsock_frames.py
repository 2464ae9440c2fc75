"""TwilSock frames: the codec of one WebSocket message.

``TWILSOCK V3.0 <H>``, CR LF, H bytes of JSON header, CR LF, the payload, and perhaps CR LF. Both
lengths count bytes of UTF-8; ``payload_size`` in the header counts the payload. One WebSocket
message is one frame, and always a binary one: the official clients drop text messages. A malformed
frame is returned as a ``FrameError``, not raised.
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
    """The defects of a malformed frame."""

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
    """Return the frame in one WebSocket message of a client, or its defect."""
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
    # Each bracket allocates an object: 64 KiB of them would block the event loop.
    has_too_many = raw.count(b"{") + raw.count(b"[") > limits.FRAME_HEADER_OBJECTS_MAX
    try:
        if not has_too_many:
            return _header.decode(raw)
        _json.decode(raw)
    except (ValueError, RecursionError):
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
    """Return the bytes of a frame; ``payload_size`` is set here.

    A JSON payload must be written without CR LF: some clients split a frame there.
    """
    written = msgspec.json.encode(header | {"payload_size": len(payload)})
    frame = b"TWILSOCK V3.0 %d\r\n%b\r\n" % (len(written), written)
    return b"%b%b\r\n" % (frame, payload) if payload else frame


def status(
    code: int, text: str, *, description: str | None = None, error_code: int | None = None
) -> dict[str, Any]:
    """Return a status object: an HTTP status, its text, and the code of an error."""
    reply_status: dict[str, Any] = {"code": code, "status": text}
    if description is not None:
        reply_status["description"] = description
    if error_code is not None:
        reply_status["errorCode"] = error_code
    return reply_status


def reply(frame_id: str, reply_status: dict[str, Any] | None = None) -> Header:
    """Return the header of a reply to a frame; the default status is 200."""
    return {"method": "reply", "id": frame_id, "status": reply_status or status(200, "OK")}


def reply_to_request(
    frame_id: str,
    code: int,
    text: str,
    headers: dict[str, str] | None = None,
    payload_type: str | None = JSON_TYPE,
) -> Header:
    """Return the header of a reply to a tunnelled request, with the HTTP status in it.

    ``payload_type`` is None when no payload follows.
    """
    answered: Header = {"http_status": status(code, text), "http_headers": headers or {}}
    if payload_type is not None:
        answered["payload_type"] = payload_type
        answered["http_headers"] = {"content-type": payload_type} | answered["http_headers"]
    return reply(frame_id) | answered


def notification(frame_id: str, message_type: str, *, notification_ctx_id: str = "") -> Header:
    """Return the header of a notification; the payload is JSON."""
    return {
        "method": "notification",
        "id": frame_id,
        "notification_ctx_id": notification_ctx_id,
        "message_type": message_type,
        "payload_type": JSON_TYPE,
    }


def ping(frame_id: str) -> Header:
    """Return the header of a ping; the client sends a reply."""
    return {"method": "ping", "id": frame_id}


def client_update(frame_id: str, kind: str, message: str) -> Header:
    """Return the header of a request to the client, such as ``token_about_to_expire``."""
    return {
        "method": "client_update",
        "id": frame_id,
        "client_update_type": kind,
        "client_update_message": message,
    }


def close(frame_id: str, reply_status: dict[str, Any]) -> Header:
    """Return the header of a close; an untyped payload is the JSON of ``backoff``."""
    return {"method": "close", "id": frame_id, "status": reply_status}


def backoff(reconnect_ms_min: int, reconnect_ms_max: int) -> bytes:
    """Return the payload with the reconnect backoff of a close or a refusal."""
    assert 0 < reconnect_ms_min <= reconnect_ms_max
    policy = {"reconnect_min_ms": reconnect_ms_min, "reconnect_max_ms": reconnect_ms_max}
    return msgspec.json.encode({"backoff_policy": policy})


def unsupported_sdk(metadata: object) -> str | None:
    """Return the version of a JavaScript SDK of another protocol, from its ``init`` metadata.

    ``@twilio/conversations`` 1.x and most of ``twilio-chat`` open a session as a list of Sync; the
    last ``twilio-chat`` requests paths below ``/Client/v1``. Neither shows the response to such a
    request to its user; both show the reason of a refused ``init``.
    """
    if not isinstance(metadata, dict) or metadata.get("sdk") != "JS":
        return None
    version = str(metadata.get("sdkv"))[:_SDK_VERSION_CHARS]
    if metadata.get("type") == "chat":
        return f"twilio-chat {version}"
    is_early = metadata.get("type") == "conversations" and version.startswith(("0.", "1."))
    return f"conversations {version}" if is_early else None
