"""One account: its data, its login, and what tests do with it."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from parlour_testkit.clock import SETTLE_TIMEOUT_S, settled
from parlour_testkit.connection import FUNCTIONS, Connection
from parlour_testkit.errors import TestKitError
from parlour_testkit.seeds import Sids, read_seed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from twilio.rest import Client

    from parlour_testkit.faults import Faults
    from parlour_testkit.journal import RequestJournal
    from parlour_testkit.phones import Phones
    from parlour_testkit.values import FormValue
    from parlour_testkit.webhooks import Webhooks


class TokenMaker(Protocol):
    """Makes access tokens, as `Account.token` does."""

    def __call__(self, identity: str, *, ttl: int = 3600, service_sid: str | None = None) -> str:
        """Return an access token of an identity; ``ttl`` is in seconds."""


class Account:
    """An account of a server; accounts do not see each other's data.

    Attributes:
        sid: its SID (``AC...``), the login of REST clients.
        auth_token: its auth token.
        api_key_sid: SID of its API key, which signs access tokens.
        api_key_secret: secret of that key, shown only at the creation of the account.
        service_sid: SID of its default service (``IS...``).
    """

    def __init__(
        self,
        url: str,
        *,
        sid: str,
        auth_token: str,
        api_key_sid: str,
        api_key_secret: str,
        service_sid: str,
        server: Connection | None = None,
    ) -> None:
        """``server`` is a connection with which the account can be deleted."""
        self.url = url
        self.sid = sid
        self.auth_token = auth_token
        self.api_key_sid = api_key_sid
        self.api_key_secret = api_key_secret
        self.service_sid = service_sid
        self.connection = Connection(url, sid, auth_token)
        self._server = server

    def __repr__(self) -> str:
        """Return the SID, without secrets."""
        return f"Account({self.sid!r})"

    # --- Data -----------------------------------------------------------------------------------

    def seed(self, seed: str | PathLike[str] | Mapping[str, Any], /, **variables: object) -> Sids:
        """Create the data of a seed: a JSON or YAML file, or a dict; return the SIDs.

        ``${NAME}`` in its texts is replaced by ``variables``, else by the environment. The server
        creates all or nothing; up to 5 MiB and 20,000 objects. Raises ApiError, whose message has
        the path of the wrong value, TestKitError for a variable without a value, and OSError.
        """
        body, content_type = read_seed(seed, variables)
        reply = self.connection.send("POST", f"{FUNCTIONS}/Seeds", body, content_type)
        return Sids(reply.json["sids"])

    def trigger(self, event: str, **parameters: FormValue) -> dict[str, Any]:
        """Make the change that causes an event, such as ``onMessageAdded``; create what it needs.

        ``parameters`` as ``conversation_sid=``, ``identity=``, or parameters of the operation.
        Returns the SIDs and the number of the event. Raises ApiError.
        """
        found: dict[str, Any] = self.connection.post(
            f"{FUNCTIONS}/Triggers", event_type=event, **parameters
        )
        return found

    def emulate(
        self,
        *,
        actions_per_second: int | None = None,
        unknown_parameters: str | None = None,
        webhook_retries: str | None = None,
        token_clock: str | None = None,
        latency_ms: int | None = None,
    ) -> dict[str, Any]:
        """Change how the server emulates the hosted service for this account; return all values.

        Args:
            actions_per_second: 0 for no limit; the hosted service has 30.
            unknown_parameters: ``ignore`` or ``refuse`` (400, code 20001).
            webhook_retries: ``durable`` (for a day) or ``hosted`` (one attempt).
            token_clock: ``auto``, ``virtual`` or ``system``.
            latency_ms: added to each answer, 0 to 5,000.

        Raises ApiError.
        """
        found: dict[str, Any] = self.connection.post(
            f"{FUNCTIONS}/Emulation",
            actions_per_second=actions_per_second,
            unknown_parameters=unknown_parameters,
            webhook_retries=webhook_retries,
            token_clock=token_clock,
            latency_ms=latency_ms,
        )
        return found

    def settle(self, *, timeout: float = SETTLE_TIMEOUT_S) -> None:
        """Wait until the server has nothing left to do for this account; replaces ``sleep``.

        ``timeout`` is in real seconds. Raises NotSettled with what the server waits for.
        """
        settled(self.connection, f"{FUNCTIONS}/Settle", timeout, {})

    async def settle_async(
        self,
        *,
        timeout: float = SETTLE_TIMEOUT_S,  # noqa: ASYNC109 - the server's timeout.
    ) -> None:
        """As `settle`, while the event loop of the test runs on."""
        await asyncio.to_thread(self.settle, timeout=timeout)

    def reset(self) -> None:
        """Remove the account's data; its SID, token, keys and default service remain.

        After the return, no earlier webhook, frame or message is sent. Raises ApiError.
        """
        self.connection.post(f"{FUNCTIONS}/Reset", scope="account")

    def snapshot(self, name: str) -> None:
        """Save the state of this account, in memory; other accounts have their own names.

        Raises ApiError with 409 if the name is taken, and for more than 16 snapshots or 256 MiB.
        """
        self.connection.post(f"{FUNCTIONS}/Snapshots", name=name, scope="account")

    def restore(self, name: str) -> None:
        """Return to a snapshot of this account. Raises ApiError with 404 for an unknown name."""
        self.connection.post(f"{FUNCTIONS}/Snapshots/{quote(name, safe='')}/Restore")

    def delete(self) -> None:
        """Remove the account. Raises TestKitError for an account that the kit did not create."""
        if self._server is None:
            raise TestKitError(f"{self.sid} was not created by this server object.")
        self._server.delete(f"{FUNCTIONS}/Accounts/{self.sid}")

    # --- Clients --------------------------------------------------------------------------------

    def client(self, **options: Any) -> Client:
        """Return the official ``twilio.rest.Client``, pointed at the server.

        ``options`` are of its ``TwilioHttpClient``, such as ``max_retries``. Raises
        ModuleNotFoundError if the package ``twilio`` is not installed.
        """
        from parlour_testkit.twilio_client import client_of  # noqa: PLC0415 - twilio is optional.

        return client_of(self, **options)

    def async_client(self, **options: Any) -> Client:
        """Return the official client for its methods ``*_async``; call it in an event loop.

        It is closed by ``async with client.http_client:``. ``options`` and errors as of `client`.
        """
        from parlour_testkit.twilio_async_client import async_client_of  # noqa: PLC0415 - as above.

        return async_client_of(self, **options)

    def token(self, identity: str, *, ttl: int = 3600, service_sid: str | None = None) -> str:
        """Return an access token for a client SDK, signed with the account's API key.

        ``ttl`` is in seconds, 1 to 86,400. Raises ApiError.
        """
        signer = Connection(self.url, self.api_key_sid, self.api_key_secret)
        made = signer.post(
            f"{FUNCTIONS}/Tokens", identity=identity, ttl=ttl, service_sid=service_sid
        )
        return str(made["token"])

    def environment(self) -> dict[str, str]:
        """Return the variables that ``parlour exec`` sets: ``TWILIO_*`` and ``PARLOUR_*``."""
        return {
            "TWILIO_ACCOUNT_SID": self.sid,
            "TWILIO_AUTH_TOKEN": self.auth_token,
            "TWILIO_API_KEY": self.api_key_sid,
            "TWILIO_API_SECRET": self.api_key_secret,
            "PARLOUR_URL": self.url,
            "PARLOUR_ACCOUNT_SID": self.sid,
            "PARLOUR_AUTH_TOKEN": self.auth_token,
            "PARLOUR_API_KEY_SID": self.api_key_sid,
            "PARLOUR_API_KEY_SECRET": self.api_key_secret,
            "PARLOUR_SERVICE_SID": self.service_sid,
        }

    # --- Parts ----------------------------------------------------------------------------------

    @cached_property
    def phones(self) -> Phones:
        """The virtual phones: ``account.phones["+15550100"]``."""
        from parlour_testkit.phones import Phones  # noqa: PLC0415 - on first use.

        return Phones(self.connection)

    @cached_property
    def faults(self) -> Faults:
        """The faults that tests add."""
        from parlour_testkit.faults import Faults  # noqa: PLC0415 - on first use.

        return Faults(self.connection)

    @cached_property
    def requests(self) -> RequestJournal:
        """The calls that the server has received."""
        from parlour_testkit.journal import RequestJournal  # noqa: PLC0415 - on first use.

        return RequestJournal(self.connection)

    def receive_webhooks(self) -> Webhooks:
        """Start a receiver of webhooks on loopback; use it as a context manager, or close it."""
        from parlour_testkit.webhooks import Webhooks  # noqa: PLC0415 - on first use.

        return Webhooks(self)
