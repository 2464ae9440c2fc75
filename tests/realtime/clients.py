"""Users of an in-process server: the requests of their clients, and the replies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec
import pytest

from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.protocol.access_tokens import AccessToken
from parlour.protocol.pages import PageTokens
from parlour.realtime.commands import Commands
from parlour.realtime.session import Session, TunnelRequest
from parlour.resources.client_table import client_operations
from parlour.resources.users import provisioning as user_provisioning
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SDK, Origin
from tests.events.in_process_server import ACCOUNT_SID, InProcessServer
from tests.events.in_process_server import scenario_runner as server_scenario_runner

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.resources.users.store import User
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope
    from tests.events.in_process_server import Form
    from tests.events.webhook_backend import WebhookBackend

KEY_SID = "SK" + "0" * 31 + "1"
ROOT_URL = "https://chat.example.com"

NOT_PERMITTED = (403, 50107)
NO_CONVERSATION = (404, 50350)
NO_MEMBER = (403, 50430)


class ClientResponse(NamedTuple):
    """The response to a client."""

    status: int
    body: Any

    @property
    def refusal(self) -> tuple[int, int]:
        """The status and the code of an error."""
        assert self.body["status"] == self.status, self
        return self.status, self.body["code"]


class TypingCall(NamedTuple):
    """One published typing event of a user."""

    scope: Scope
    conversation_sid: str
    participant_sid: str
    identity: str


@dataclass
class _Hub:
    typed: list[TypingCall] = field(default_factory=list)

    def publish_typing(self, *published: Any) -> None:
        self.typed.append(TypingCall(*published))


class RealtimeClients:
    """An in-process server, its webhook backend, and its users' clients."""

    def __init__(self, instance: InProcessServer, backend: WebhookBackend) -> None:
        self.instance = instance
        self.backend = backend
        self.hub = _Hub()
        self.commands = Commands(
            instance.app.pipeline, PageTokens(instance.app.vault.page_token_key), self.hub
        )
        self.sessions: dict[str, Session] = {}

    async def session(self, identity: str, **token: Any) -> Session:
        """Return the session of a user, who is created at the first connection."""
        if identity in self.sessions and not token:
            return self.sessions[identity]
        scope = self.instance.scope
        user = await self.instance.store.write(
            partial(_ensure, scope, identity), Origin(SDK, identity, fires=True)
        )
        session = Session(
            token=AccessToken(
                account_sid=ACCOUNT_SID,
                key_sid=KEY_SID,
                identity=identity,
                service_sid=scope.service_sid,
                expires_ms=1 << 45,
                **token,
            ),
            scope=scope,
            caller=Caller(ACCOUNT_SID, KEY_SID, identity),
            identity=identity,
            user_sid=user.sid,
            root_url=ROOT_URL,
        )
        self.sessions[identity] = session
        return session

    async def send(self, identity: str, request: TunnelRequest) -> ClientResponse:
        """Return the response to a request of a user's client."""
        try:
            reply = await self.commands.handle(await self.session(identity), request)
        except ApiError as error:
            return ClientResponse(error.status, error.body())
        return ClientResponse(reply.status, msgspec.json.decode(reply.body) if reply.body else None)

    async def request(
        self, identity: str, method: str, path: str, body: Any = None, **params: str
    ) -> ClientResponse:
        """Return the response to a request given by its parts; a relative path is a command's."""
        request = TunnelRequest(
            method=method,
            path=path if path.startswith("/") else f"/Client/v2/{path}",
            params={name: [quote(value, "")] for name, value in params.items()},
            body=b"" if body is None else msgspec.json.encode(body),
        )
        return await self.send(identity, request)

    async def get(self, identity: str, path: str, **params: str) -> ClientResponse:
        """Return the current state."""
        return await self.request(identity, "GET", path, **params)

    async def post(self, identity: str, path: str, body: Any) -> ClientResponse:
        """Send a POST."""
        return await self.request(identity, "POST", path, body)

    async def delete(self, identity: str, path: str, body: Any = None) -> ClientResponse:
        """Send a DELETE, with the body that clients include."""
        return await self.request(identity, "DELETE", path, body or {})

    async def publish_typing(self, identity: str, body: bytes) -> ClientResponse:
        """Send a typing notification."""
        request = TunnelRequest(
            method="POST",
            path="/Client/v2/Typing",
            content_type="application/x-www-form-urlencoded",
            body=body,
        )
        return await self.send(identity, request)

    async def create_conversation(self, *identities: str, **names: str) -> str:
        """Create a conversation of the account with these participants; return its sid."""
        made = await self.instance.do("CreateConversation", names)
        for identity in identities:
            await self.session(identity)
            await self.instance.do(
                "CreateConversationParticipant",
                {"Identity": identity},
                ConversationSid=made.sid,
            )
        return str(made.sid)


async def _ensure(scope: Scope, identity: str, tx: Transaction) -> User:
    return await user_provisioning.ensure_user(tx, scope, identity)


Scenario = Callable[[RealtimeClients], Awaitable[None]]
ScenarioRunner = Callable[[Scenario], None]


def scenario_runner(data: Path, **settings: Any) -> ScenarioRunner:
    """Return a function that runs a scene among the users of a separate server."""
    run_on_server = server_scenario_runner(data, **settings)

    def run_scenario(scenario: Scenario) -> None:
        async def among_clients(instance: InProcessServer, backend: WebhookBackend) -> None:
            await scenario(RealtimeClients(instance, backend))

        run_on_server(among_clients)

    return run_scenario


async def run_as(
    instance: InProcessServer,
    identity: str,
    operation_id: str,
    form: Form | None = None,
    **path: str,
) -> Any:
    """Return an operation's response for a user, without a command."""
    call: Call[Any] = Call(
        operation=client_operations()[operation_id],
        caller=Caller(ACCOUNT_SID, KEY_SID, identity),
        path={"ChatServiceSid": instance.scope.service_sid, **path},
        resource=f"/{operation_id}",
        form={
            name: [value] if isinstance(value, str) else value
            for name, value in (form or {}).items()
        },
        origin=Origin(SDK, identity, fires=True),
    )
    return (await instance.app.pipeline.run(call, lambda *_: b"")).result


async def refusal(asked: Awaitable[object]) -> tuple[int, int]:
    """Return the status and the code of a rejected call."""
    with pytest.raises(ApiError) as caught:
        await asked
    return caught.value.status, caught.value.code
