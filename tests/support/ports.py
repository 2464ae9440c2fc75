"""Ports of 127.0.0.1 that are reserved for a test from the moment they are found.

A port found by binding a socket and closing it again is free for all: another test's receiver may
take it before the intended server does. So the socket is never closed here. A server that can
listen on port 0 does so and reports its port. One that must know its port before it starts, or must
find it free again after a crash, gets a reserved port.
"""

from __future__ import annotations

import socket
from typing import Self


class ReservedPort:
    """A port that no other program gets until `close`, though nothing listens on it yet.

    A bound socket that does not listen holds it: connections are refused, and the kernel gives
    the port to no connection and to no program that asks for any port. A program that is given
    the number can listen there, with SO_REUSEADDR on both sides, as often as it is started;
    servers set that option so that they can be started again. So it is on Linux, where the tests
    run; `tests/contract/test_test_support.py` shows it.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        # After bind: with the option set before, it could get a port that another test reserved.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.number: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        """Return the port itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the port."""
        self.close()

    @property
    def url(self) -> str:
        """Return a URL of the port, without a trailing slash."""
        return f"http://127.0.0.1:{self.number}"

    def close(self) -> None:
        """Release the port."""
        self._socket.close()


_kept: list[ReservedPort] = []


def port_for_good() -> ReservedPort:
    """Return a port that stays reserved until this process ends.

    For the URLs of webhooks: a shared server retries them after the test that set them, and no
    later test's receiver should get those requests.
    """
    _kept.append(ReservedPort())
    return _kept[-1]
