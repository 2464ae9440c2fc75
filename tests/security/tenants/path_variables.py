"""The variables of an operation's path: the kind of object that each names, and values."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.operations.operation import Operation

_VARIABLE = re.compile(r"\{(\w+)\}")


class Kind(NamedTuple):
    """One kind of object that a path can name."""

    prefix: str
    is_of_service: bool
    has_names: bool = False


# By the path segment before the variable.
KINDS: dict[str, Kind] = {
    "Accounts": Kind("AC", is_of_service=False),
    "Keys": Kind("SK", is_of_service=False),
    "Services": Kind("IS", is_of_service=False),
    "Credentials": Kind("CR", is_of_service=False),
    "Addresses": Kind("IG", is_of_service=False, has_names=True),
    "Conversations": Kind("CH", is_of_service=True, has_names=True),
    "Messages": Kind("IM", is_of_service=True),
    "Receipts": Kind("DY", is_of_service=True),
    "Participants": Kind("MB", is_of_service=True, has_names=True),
    "Webhooks": Kind("WH", is_of_service=True),
    "Roles": Kind("RL", is_of_service=True),
    "Users": Kind("US", is_of_service=True, has_names=True),
    "Bindings": Kind("BS", is_of_service=True),
    "Connections": Kind("CN", is_of_service=False),
    "Requests": Kind("RQ", is_of_service=False),
    "WebhookAttempts": Kind("NO", is_of_service=False),
    "ContentTemplates": Kind("HX", is_of_service=False),
    "VirtualPhones": Kind("", is_of_service=False, has_names=True),
    "PhoneMessages": Kind("WA", is_of_service=False),
    "PhoneMedia": Kind("ME", is_of_service=False),
    "Content": Kind("HX", is_of_service=False),
}


def kinds_of(operation: Operation) -> list[str]:
    """Return the kinds of an operation's path variables, in order. KeyError: not known."""
    found = []
    before = ""
    for segment in operation.path.split("/"):
        if segment.startswith("{"):
            if "VirtualPhones" in found:
                before = f"Phone{before}"
            assert before in KINDS, f"{operation.operation_id}: what is {segment} of {before}?"
            found.append(before)
        before = segment
    return found


def fill(operation: Operation, values: Sequence[str]) -> str:
    """Return the path with values for its variables."""
    remaining = iter(values)
    path = _VARIABLE.sub(lambda _: next(remaining), operation.path)
    assert next(remaining, None) is None, f"{operation.path} has fewer variables"
    return path


def never_made(kind: str) -> str:
    """Return a sid of a kind that was never assigned."""
    return KINDS[kind].prefix + secrets.token_hex(16)


def never_made_address(address: str) -> str:
    """Return an address of the same length as one of the matrix that no object has."""
    return address.replace("+1555777", "+1666777")


def never_made_like(name: str) -> str:
    """Return a name of the same length that no object has."""
    return name[:-1] + ("0" if name[-1].isdigit() else "q")
