"""Parameters of the operations on access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits, sids
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class CreateToken(Parameters):
    """A token for one user of one service; without ``ServiceSid``, of the default service."""

    identity: str | Unset = form_field(
        "Identity", parsers.text(limits.IDENTITY_CHARS_MAX, 50207), required=True
    )
    service_sid: str | Unset = form_field("ServiceSid", parsers.sid(sids.SERVICE))
    ttl_seconds: int | Unset = form_field(
        "Ttl", parsers.integer(minimum=1, maximum=limits.ACCESS_TOKEN_SECONDS_MAX)
    )
    api_key_sid: str | Unset = form_field("ApiKeySid", parsers.sid(sids.API_KEY))


class CreateTokenCheck(Redacted, Parameters):
    """A token from anywhere."""

    token: str | Unset = form_field(
        "Token", parsers.text(limits.ACCESS_TOKEN_CHARS_MAX), required=True, secret=True
    )
