"""Parameters of a reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

ACCOUNT_SCOPE: Final = "account"
SERVER_SCOPE: Final = "server"
SCOPE: Final = parsers.enum(ACCOUNT_SCOPE, SERVER_SCOPE)


class CreateReset(Parameters):
    """The extent of a reset, the seed of SIDs afterwards, and whether seeds are loaded again."""

    scope: str | Unset = form_field("Scope", SCOPE)
    random_seed: int | Unset = form_field(
        "RandomSeed", parsers.integer(minimum=0, maximum=limits.INTEGER_MAX)
    )
    seed: str | Unset = form_field("Seed", parsers.enum("start"))
