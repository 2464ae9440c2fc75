"""Parameters of the operations on push credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

_type = parsers.enum("apn", "gcm", "fcm")
_friendly_name = parsers.clearable(parsers.text(limits.FRIENDLY_NAME_CHARS_MAX, 50003), None)
_secret = parsers.clearable(parsers.text(limits.CREDENTIAL_SECRET_CHARS_MAX), None)


class CreateCredential(Redacted, Parameters):
    """A new credential. Missing secrets are accepted: pushes fail later."""

    type: str = form_field("Type", _type, required=True)
    friendly_name: str | Unset | None = form_field("FriendlyName", _friendly_name)
    certificate: str | Unset | None = form_field("Certificate", _secret, secret=True)
    private_key: str | Unset | None = form_field("PrivateKey", _secret, secret=True)
    sandbox: bool | Unset = form_field("Sandbox", parsers.boolean())
    api_key: str | Unset | None = form_field("ApiKey", _secret, secret=True)
    secret: str | Unset | None = form_field("Secret", _secret, secret=True)


class UpdateCredential(CreateCredential):
    """A change of a credential. Absent means unchanged; an empty text clears."""

    type: str | Unset = form_field("Type", _type)  # type: ignore[assignment]
