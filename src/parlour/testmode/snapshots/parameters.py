"""Parameters of a snapshot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.testmode.reset.parameters import SCOPE
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.protocol.parsers import Parser
    from parlour.vocabulary.unset import Unset

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
"""A name begins with no dot: clients remove the segments "." and ".." of a path."""


def _name() -> Parser[str]:
    """Make the parser of names, which are a segment of a path."""
    text = parsers.text(limits.SNAPSHOT_NAME_CHARS_MAX)

    def parse(name: str, value: str) -> str:
        if not _NAME.fullmatch(text(name, value)):
            raise ApiError.invalid(name)
        return value

    schema = {"type": "string", "maxLength": limits.SNAPSHOT_NAME_CHARS_MAX}
    return parsers.with_schema(parse, schema | {"pattern": f"^{_NAME.pattern}$"})


class CreateSnapshot(Parameters):
    """A new snapshot: its name, and whether it is of the account or of the server."""

    name: str | Unset = form_field("Name", _name(), required=True)
    scope: str | Unset = form_field("Scope", SCOPE)
