"""Parameters of a new account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits, sids
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class CreateTestAccount(Redacted, Parameters):
    """A new account; SID and auth token are made up unless they are given."""

    friendly_name: str | Unset = form_field(
        "FriendlyName", parsers.text(limits.FRIENDLY_NAME_CHARS_MAX)
    )
    sid: str | Unset = form_field("Sid", parsers.sid(sids.ACCOUNT))
    auth_token: str | Unset = form_field(
        "AuthToken", parsers.text(limits.TEST_AUTH_TOKEN_CHARS_MAX), secret=True
    )
