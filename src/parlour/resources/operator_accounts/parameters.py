"""Parameters of the operations of operators on accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class CreateAccount(Parameters):
    """A new account; its name is ``Account`` if none is given."""

    friendly_name: str | Unset = form_field(
        "FriendlyName", parsers.text(limits.KEY_FRIENDLY_NAME_CHARS_MAX, 20002)
    )


class ChangeAccount(CreateAccount):
    """A change of an account: another name, or another state."""

    status: str | Unset = form_field("Status", parsers.enum("active", "suspended", "closed"))
