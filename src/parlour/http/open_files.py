"""The limit of open files, and the number that the settings need; most are sockets."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.config import Settings


def open_files_max() -> int:
    """Return the limit of open files of the process."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return files


def connections_max(settings: Settings) -> int:
    """Return the maximum number of client connections; the rest of the limit is reserved."""
    files = open_files_max()
    return min(settings.connections_max, files - files // limits.RESERVED_FILES_PART)


def sockets_max(settings: Settings) -> int:
    """Return the maximum number of WebSockets among them; the rest is reserved for HTTP."""
    total_max = connections_max(settings)
    return total_max - total_max // limits.RESERVED_HTTP_CONNECTIONS_PART


def open_files_needed(settings: Settings) -> int:
    """Return the limit of open files that the settings need."""
    part = limits.RESERVED_FILES_PART
    with_reserve = -(-settings.connections_max * part // (part - 1))
    return max(with_reserve, settings.connections_max + _other_files(settings))


def _other_files(settings: Settings) -> int:
    """Return the maximum number of files that are not connections of clients."""
    requests = limits.OUTBOUND_REQUESTS_MAX + limits.OUTBOUND_AWAITED_REQUESTS_MAX
    outgoing = requests + limits.IDLE_CONNECTIONS_MAX + limits.RESOLUTIONS_MAX
    media = limits.UPLOADS_MAX + limits.DOWNLOADS_MAX
    own = limits.ACCEPTED_PER_TURN + settings.database_connections + limits.OTHER_FILES_MAX
    return outgoing + media + own
