"""Operators of tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from tests.support.client import Api

if TYPE_CHECKING:
    from tests.support.server import Server


class OperatorLogin(NamedTuple):
    """An operator: the SID and the secret of its key."""

    sid: str
    secret: str

    def api(self, server: Server) -> Api:
        """Return a client that signs in as the operator."""
        return Api(server.base_url, self.sid, self.secret, prefix="/parlour/v1/Operator")


def make_operator(server: Server, name: str, role: str = "admin") -> OperatorLogin:
    """Create an operator by the command line."""
    made = json.loads(server.command("operator", "create", name, "--role", role, "--json"))
    assert (made["name"], made["role"]) == (name, role)
    return OperatorLogin(made["sid"], made["secret"])
