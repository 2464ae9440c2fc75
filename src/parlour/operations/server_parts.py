"""The parts of a server that operations act on outside of transactions (``on_server``).

The composition root sets each part; operations see these interfaces only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parlour.operations.request_journal import RequestJournal


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDescription:
    """The response of ``GET /parlour/v1/Server``.

    ``engine`` is ``sqlite`` or ``postgresql``. ``features`` are the names below ``/parlour/v1/``
    that the server has operations of. ``started_ms`` is real time, also in test mode.
    """

    version: str
    engine: str
    is_test: bool
    started_ms: int
    socket_path: str
    features: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class ServerParts:
    """The parts, by name."""

    description: ServerDescription
    journal: RequestJournal
