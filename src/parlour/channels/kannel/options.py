"""The options of a Kannel gateway in the carriers file."""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec

from parlour.protocol.egress_policy import EgressRefused
from parlour.protocol.signatures import PreparedUrl, prepare_url
from parlour.vocabulary import limits
from parlour.vocabulary.redaction import Redacted

# Characters that no part of Kannel escapes, and that have no meaning in its URL templates.
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]+")


class KannelOptions(
    Redacted, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The options; ``sendsms_url`` is the whole URL of the smsbox's sendsms service.

    ``callback_token`` is a secret in the URLs of the callbacks; ``smsc_id`` selects one of
    Kannel's connections.
    """

    sendsms_url: str
    username: str
    password: str
    callback_token: str
    smsc_id: str = ""
    delivery_reports: bool = True
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=limits.CARRIER_CONCURRENCY_MAX)] = 10


def read_sendsms_url(options: KannelOptions) -> PreparedUrl:
    """Return the URL of the sendsms service. Raises ValueError."""
    try:
        prepared = prepare_url(options.sendsms_url)
    except EgressRefused as error:
        raise ValueError(f"sendsms_url: {error.reason}") from error
    if "?" in options.sendsms_url or prepared.credentials is not None:
        raise ValueError("sendsms_url: must have no query, user name or password")
    return prepared


def check_callback_token(options: KannelOptions) -> None:
    """Raise ValueError for a token that is short, or that Kannel would change."""
    token = options.callback_token
    if len(token) < limits.CALLBACK_TOKEN_CHARS_MIN or not _TOKEN.fullmatch(token):
        least = limits.CALLBACK_TOKEN_CHARS_MIN
        raise ValueError(
            f"callback_token: has to be at least {least} letters, digits, '.', '_', '~' and '-'"
        )
