"""Environment variables with the prefix of settings that are not settings.

| variable | effect |
|---|---|
| of a setting | sets it, see `options` |
| set by a container platform for a service whose name begins with "parlour" | ignored |
| at an edit distance of at most two from a setting's | an error that suggests the setting |
| any other that begins with PARLOUR_ | a warning of `serve` |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.config import NON_SETTING_VARIABLES, setting_descriptions

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "PARLOUR_"
DISTANCE_MAX: Final = 2

# What Kubernetes and links of Docker set for a service "parlour" or "parlour-…":
# PARLOUR_SERVICE_HOST, PARLOUR_SERVICE_PORT_HTTP, PARLOUR_PORT_8080_TCP_ADDR.
_OF_PLATFORM: Final = re.compile(
    r"PARLOUR_(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?"
    r"|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR|START|END))?)\Z"
)
_PORT: Final = re.compile(r"PARLOUR_(?:[A-Z0-9_]+_)?PORT\Z")
_ADDRESS: Final = re.compile(r"(?:tcp|udp|sctp)://")


class Variables(NamedTuple):
    """The names that are not settings, and an error message for each probable typo."""

    mistyped: list[str]
    unknown: list[str]
    of_platform: list[str]


def is_of_platform(name: str, value: str) -> bool:
    """Return whether a container platform set this variable for a service called parlour."""
    if _OF_PLATFORM.match(name):
        return True
    return _PORT.match(name) is not None and _ADDRESS.match(value) is not None


def read(environment: Mapping[str, str]) -> Variables:
    """Return the variables with the prefix that are not settings."""
    known = {each.variable for each in setting_descriptions()}
    found = Variables([], [], [])
    for name in sorted(each for each in environment if each.startswith(PREFIX)):
        if is_of_platform(name, environment[name]):
            found.of_platform.append(name)
        elif name not in known and name not in NON_SETTING_VARIABLES:
            near = _nearest(name, known)
            if near:
                found.mistyped.append(f"{name} is not a setting; did you mean {' or '.join(near)}?")
            else:
                found.unknown.append(name)
    return found


def _nearest(name: str, known: set[str]) -> list[str]:
    """Return the variables of settings at the least edit distance, if that is small enough."""
    distances = {each: _distance(name, each) for each in known}
    least = min(distances.values())
    return sorted(each for each in known if distances[each] == least <= DISTANCE_MAX)


def _distance(one: str, other: str) -> int:
    """Return the Levenshtein distance: insertions, deletions and replacements of letters."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        before, row[0] = row[0], number
        for place, each in enumerate(other, 1):
            cost = before if letter == each else 1 + min(before, row[place], row[place - 1])
            before, row[place] = row[place], cost
    return row[-1]
