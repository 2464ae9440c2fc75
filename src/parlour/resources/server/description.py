"""The description of a server: its version, its engine, and the functions beyond the API."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from parlour import __version__
from parlour.operations.server_parts import ServerDescription
from parlour.vocabulary.client_urls import SOCKET_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.operations.operation import Operation

_ROOT: Final = "/parlour/v1/"


def node_name() -> str:
    """Return the name of this process, for operators: of the machine, and the process ID."""
    return f"{socket.gethostname()}/{os.getpid()}"


def describe_server(
    operations: Iterable[Operation], started_ms: int, *, is_shared: bool, is_test: bool
) -> ServerDescription:
    """Return the description of a server with these operations; ``started_ms`` is real time."""
    every = tuple(operations)
    own = (each.path for each in every if each.path.startswith(_ROOT))
    return ServerDescription(
        version=__version__,
        engine="postgresql" if is_shared else "sqlite",
        is_test=is_test,
        started_ms=started_ms,
        socket_path=SOCKET_PATH,
        node=node_name(),
        features=tuple(sorted({path[len(_ROOT) :].partition("/")[0] for path in own})),
        operations=every,
    )
