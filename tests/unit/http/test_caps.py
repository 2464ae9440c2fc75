"""The caps on connections, derived from the settings."""

from __future__ import annotations

from typing import Any

from parlour.config import Settings
from parlour.http.connections import connection_caps
from parlour.vocabulary import limits


def unauthenticated_max(**settings: Any) -> int:
    """The cap on unauthenticated connections."""
    return connection_caps(Settings(**settings), lambda _: False).unauthenticated_max


def test_with_tls_fewer_connections_may_be_unauthenticated() -> None:
    plain = min(limits.UNAUTHENTICATED_CONNECTIONS_MAX, unauthenticated_max())

    assert unauthenticated_max() == plain
    assert unauthenticated_max(tls_cert="server.pem") == min(
        plain, limits.UNAUTHENTICATED_TLS_CONNECTIONS_MAX
    )
    assert unauthenticated_max(connections_max=100, tls_cert="server.pem") == 100
