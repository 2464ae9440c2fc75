"""Redaction of the journal of requests: no secret of a form or a response is recorded.

Parameters with secrets are declared (``form_field(..., secret=True)``); others are recognised by
their names, as are members of responses. In any text, the credentials of URLs and of Basic and
Bearer headers are replaced.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.vocabulary import limits
from parlour.vocabulary.redaction import is_secret_name

if TYPE_CHECKING:
    from collections.abc import Collection

    from parlour.protocol.forms import FormFields

REDACTED: Final = "[redacted]"
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[.\-]")
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/?#\s\"]*@")
_AUTHORIZATION: Final = re.compile(r"\b(Basic|Bearer)( +)[A-Za-z0-9+/=._~-]{16,}")
_TOKEN: Final = re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Searched first, as most texts have no secret: an expression would take twenty times as long.
_HINTS_OF_TEXTS: Final = ("@", "eyJ", "Basic ", "Bearer ")
_HINTS_OF_MEMBERS: Final = ("secret", "token", "password", "credential", "_key")
_HINTS: Final = tuple(each.encode() for each in (*_HINTS_OF_TEXTS, *_HINTS_OF_MEMBERS))
# A whole JSON text that was cut is not parsed, so its members are found by this expression.
_MEMBER: Final = re.compile(r'"([A-Za-z_]+)"\s*:\s*"((?:[^"\\]|\\.)*)"?')
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def is_secret_parameter(wire_name: str) -> bool:
    """Return whether the name of a parameter shows that it has a secret."""
    snake_case = _CAPITAL.sub("_", wire_name).lower()
    return is_secret_name(snake_case) or snake_case.endswith("certificate")


def redact_form(form: FormFields, secrets: Collection[str]) -> FormFields:
    """Return a form without secrets, and with long values cut; ``secrets`` are declared names."""
    most = limits.JOURNAL_VALUES_MAX
    return {
        name[: limits.JOURNAL_VALUE_CHARS_MAX]: [REDACTED]
        if name in secrets or is_secret_parameter(name)
        else [redact_text(text[: limits.JOURNAL_VALUE_CHARS_MAX]) for text in texts[:most]]
        for name, texts in list(form.items())[:most]
    }


def redact_text(text: str) -> str:
    """Return a text without the credentials of URLs and headers, and without access tokens."""
    if not any(hint in text for hint in _HINTS_OF_TEXTS):
        return text
    text = _CREDENTIALS.sub(f"{REDACTED}@", text)
    text = _AUTHORIZATION.sub(rf"\1\2{REDACTED}", text)
    return _TOKEN.sub(REDACTED, text)


def redact_header(value: str | None) -> str | None:
    """Return the value of a header, if there is one, without credentials; a long one is cut."""
    return None if value is None else redact_text(value[: limits.JOURNAL_VALUE_CHARS_MAX])


def redact_answer(body: bytes) -> bytes:
    """Return a response in JSON without secrets; a long one is cut, and is then no JSON."""
    cut = body[: limits.JOURNAL_ANSWER_BYTES_MAX]
    if not any(hint in cut for hint in _HINTS):
        return cut
    if len(body) == len(cut):
        try:
            return _encode(_redacted(_decode(body)))
        except (ValueError, RecursionError):
            pass
    text = _MEMBER.sub(_redacted_member, cut.decode("utf-8", "replace"))
    return redact_text(text).encode()


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: REDACTED if is_secret_name(name) and isinstance(item, str) else _redacted(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return redact_text(value) if isinstance(value, str) else value


def _redacted_member(match: re.Match[str]) -> str:
    return f'"{match[1]}":"{REDACTED}"' if is_secret_name(match[1]) else match[0]
