"""Sign-in to the console: by an account, an API key, an operator key, a ticket, or openly.

All failures get the same response after the same work. A sign-in is open, so that it needs nothing,
in test mode on loopback only, for a browser on the same machine.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from parlour.console.sessions import NewPrincipal, no_session
from parlour.console.sign_in_throttle import SignInThrottle
from parlour.http.streams import read_body
from parlour.operations.caller import ACCOUNT, ADMIN, OPERATOR
from parlour.protocol.forms import parse_form
from parlour.protocol.header_block import HeaderBlock
from parlour.resources.console_sessions import lifecycle as console_session_lifecycle
from parlour.resources.operators import store as operator_store
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError, clear_tracebacks

if TYPE_CHECKING:
    from parlour.console.hosts import ConsoleHosts
    from parlour.http.authentication import Authentication
    from parlour.http.messages import Request
    from parlour.protocol.forms import FormFields
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock

_FORM: Final = "application/x-www-form-urlencoded"
_TICKET: Final = "ticket"
"""The name under which failures of tickets are counted."""
_WRONG_LOGIN: Final = 20003
_RETRY: Final = {"Retry-After": str(limits.SIGN_IN_FAILURES_SECONDS)}


class SignIns:
    """Authenticates sign-ins."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        clock: Clock,
        authentication: Authentication,
        hosts: ConsoleHosts,
        *,
        is_test: bool,
        may_be_open: bool,
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._authentication = authentication
        self._hosts = hosts
        self._is_test = is_test
        self._may_be_open = may_be_open
        self._throttle = SignInThrottle()
        # Compared for an unknown operator.
        self._no_secret = vault.digest(clock.monotonic_ms().hex())

    def is_open(self, request: Request) -> bool:
        """Return whether a request may sign in without anything."""
        return self._may_be_open and self._hosts.is_local(request)

    async def sign_in(self, request: Request, form: FormFields) -> NewPrincipal:
        """Return the principal of a sign-in. Raises ApiError 400, 401, 403 and 429."""
        if form.get("Open") == ["true"]:
            if not self.is_open(request):
                raise ApiError(20403, "Sign in: this server is open on its own machine only.")
            return NewPrincipal(OPERATOR, console_session_lifecycle.LOCAL, ADMIN)
        if "Ticket" in form:
            return await self._redeem(request, _only(form, "Ticket"))
        return await self._check(request, _only(form, "Name"), _only(form, "Secret"))

    async def _redeem(self, request: Request, ticket: str) -> NewPrincipal:
        peer = self._hosts.address_of(request)
        begun_ms = self._begin(peer, _TICKET)
        digest = self._vault.digest(ticket)
        found = await self._store.write(
            lambda tx: console_session_lifecycle.redeem_ticket(tx, digest, is_test=self._is_test)
        )
        if found is None:
            raise no_session()
        self._throttle.succeed(peer, _TICKET, begun_ms)
        return NewPrincipal(found.kind, found.principal_name, found.role, found.account_sid)

    async def _check(self, request: Request, name: str, secret: str) -> NewPrincipal:
        peer = self._hosts.address_of(request)
        name = name.strip()
        begun_ms = self._begin(peer, name[: limits.LOGIN_NAME_CHARS_MAX])
        if name.startswith(sids.OPERATOR):
            principal = await self._operator(name, secret)
        else:
            principal = await self._account(peer, name, secret)
        self._throttle.succeed(peer, name, begun_ms)
        return principal

    def _begin(self, peer: str, name: str) -> float:
        now_ms = self._clock.monotonic_ms()
        if not self._throttle.begin(peer, name, now_ms):
            raise ApiError(20429, headers=_RETRY)
        return now_ms

    async def _operator(self, name: str, secret: str) -> NewPrincipal:
        found = await self._store.read(lambda tx: operator_store.operator_login(tx, name))
        digest = self._no_secret if found is None else found.secret_digest
        is_right = self._vault.digests_equal(self._vault.digest(secret), digest)
        if found is None or not is_right:
            raise no_session()
        if operator_store.is_touch_due(found.last_used, self._clock.now_ms()):
            await self._store.write(lambda tx: operator_store.touch_operator(tx, found.sid))
        return NewPrincipal(OPERATOR, found.sid, found.role)

    async def _account(self, peer: str, name: str, secret: str) -> NewPrincipal:
        if ":" in name:
            raise no_session()
        login = base64.b64encode(f"{name}:{secret}".encode())
        block = HeaderBlock({b"authorization": b"Basic " + login})
        try:
            caller = await self._authentication.authenticate(block, peer)
        except ApiError as error:
            clear_tracebacks(error)
            if error.code == _WRONG_LOGIN:
                # Without the challenge, which would open the dialogue of the browser.
                raise no_session() from None
            raise
        return NewPrincipal(ACCOUNT, caller.login, ADMIN, caller.account_sid)


async def read_form(request: Request) -> FormFields:
    """Return the form of a sign-in. Raises ApiError 408, 413 and 415."""
    declared = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    if declared != _FORM:
        raise ApiError(20001, "Unsupported content type.", status=415)
    length = request.header(b"content-length")
    if length is None or int(length) > limits.SIGN_IN_BYTES_MAX:
        raise ApiError(20413)
    return parse_form(await read_body(request))


def _only(form: FormFields, name: str) -> str:
    texts = form.get(name, [])
    if len(texts) != 1 or not texts[0]:
        raise ApiError.missing(name)
    return texts[0]
