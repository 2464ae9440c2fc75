"""Caller: the authenticated origin of a request."""

from __future__ import annotations

from typing import Final

import msgspec

OPERATOR: Final = "operator"
ACCOUNT: Final = "account"
"""The kinds of principals."""

VIEW: Final = "view"
SUPPORT: Final = "support"
ADMIN: Final = "admin"
ROLES: Final = (VIEW, SUPPORT, ADMIN)
"""The roles of operators, in the order of their rights; the principal of an account is an admin."""


class Principal(msgspec.Struct, frozen=True):
    """The user of the console or of an operator key: whom the audit log names."""

    kind: str
    name: str
    """The SID of the operator, or of the login of the account; ``local``: a ticket without key."""
    role: str
    session_sid: str = ""
    """The session of the console; empty for HTTP Basic."""

    @property
    def may_change(self) -> bool:
        """Whether the principal may call operations that change data."""
        return self.role == ADMIN

    @property
    def is_operator(self) -> bool:
        """Whether the principal is an operator, of all accounts."""
        return self.kind == OPERATOR


class Caller(msgspec.Struct, frozen=True):
    """An account (``identity`` is None: no permission is checked) or a chat user of a service.

    An operator outside of accounts has an empty ``account_sid``; ``principal`` is set for operators
    and for sessions of the console.
    """

    account_sid: str
    login: str
    """The SID that was presented: of the account, of an API key, or of an operator."""
    identity: str | None = None
    principal: Principal | None = None

    @property
    def owner(self) -> str:
        """The SID whose share of the server a request uses: of the account, or an operator."""
        return self.account_sid or self.login

    @property
    def member(self) -> str | None:
        """The member of the account that holds a stream or a waiting list.

        A user, a principal, or None for all programs with logins of the account: so that neither
        the console nor programs take all streams of an account.
        """
        return self.identity if self.principal is None else f"console {self.principal.name}"
