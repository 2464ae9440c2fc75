"""The description of a server: its version, its engine, and the functions beyond the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour import __version__
from parlour.operations.server_parts import ServerDescription
from parlour.vocabulary.client_urls import SOCKET_PATH
from parlour.vocabulary.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.operations.operation import Operation

_ROOT: Final = "/parlour/v1/"


def describe_server(
    operations: Iterable[Operation], *, is_shared: bool, is_test: bool
) -> ServerDescription:
    """Return the description of a server with these operations that starts now."""
    own = (each.path for each in operations if each.path.startswith(_ROOT))
    return ServerDescription(
        version=__version__,
        engine="postgresql" if is_shared else "sqlite",
        is_test=is_test,
        started_ms=SystemClock().now_ms(),
        socket_path=SOCKET_PATH,
        features=tuple(sorted({path[len(_ROOT) :].partition("/")[0] for path in own})),
    )
