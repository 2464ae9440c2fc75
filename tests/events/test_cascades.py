"""The webhooks of each action, in order, and the origin of changes that follow from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from parlour.store import event_log
from parlour.vocabulary import event_names
from parlour.vocabulary.origin import SILENT
from tests.events.event_tour import OWN, ROBERT
from tests.events.in_process_server import (
    ALICE,
    BY_SMS,
    WITH_HEADER,
    InProcessServer,
    ScenarioRunner,
    poll_until,
    scenario_runner,
)

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.vocabulary.origin import Origin
    from tests.events.webhook_backend import WebhookBackend

ORIGINS = {"header": WITH_HEADER, "client": ALICE, "sms": BY_SMS}
PAIR = {"MessagingBinding.Address": ROBERT, "MessagingBinding.ProxyAddress": OWN}


class Stage:
    """A conversation with the user bob, prepared without webhooks; then an action runs."""

    def __init__(self, instance: InProcessServer, origin: Origin) -> None:
        self.instance = instance
        self.origin = origin
        self.sid = ""
        self.here: dict[str, str] = {}

    async def furnish(self) -> None:
        """Add bob, and a message of his."""
        self.sid = (await self.instance.do("CreateConversation")).sid
        self.here = {"ConversationSid": self.sid}
        bob: Any = {"Identity": "bob"}
        await self.instance.do("CreateConversationParticipant", bob, **self.here)
        await self.instance.send_message(self.sid, "hello", Author="bob")

    async def listen(self, backend: WebhookBackend) -> None:
        """Enable the account's webhooks for every event."""
        form = {
            "PreWebhookUrl": backend.url("/pre"),
            "PostWebhookUrl": backend.url("/post"),
            "Filters": sorted(event_names.FILTERS),
        }
        await self.quietly("UpdateConfigurationWebhook", form)

    async def do(self, operation_id: str, form: Any = None, **path: str) -> Any:
        """Make one call as the origin."""
        return await self.instance.do(operation_id, form, origin=self.origin, **path)

    async def quietly(self, operation_id: str, form: Any = None, **path: str) -> Any:
        """Make one call without webhooks."""
        return await self.instance.do(operation_id, form, **path)


async def send_message(on: Stage) -> None:
    await on.instance.send_message(on.sid, "x", on.origin)


async def send_message_to_inactive(on: Stage) -> None:
    await on.quietly("UpdateConversation", {"State": "inactive"}, Sid=on.sid)
    await send_message(on)


async def add_new_user(on: Stage) -> None:
    await on.do("CreateConversationParticipant", {"Identity": "new"}, **on.here)


async def add_known_user(on: Stage) -> None:
    await on.quietly("CreateUser", {"Identity": "known"})
    await on.do("CreateConversationParticipant", {"Identity": "known"}, **on.here)


async def create(on: Stage) -> None:
    await on.do("CreateConversation")


async def create_with_two(on: Stage) -> None:
    form = {"Participant": ['{"identity":"bob"}', '{"identity":"eve"}']}
    made = await on.do("CreateConversationWithParticipants", form)

    async def is_active() -> bool:
        found = await on.quietly("FetchConversation", Sid=made.sid)
        return bool(found.state == "active")

    await poll_until(is_active)


async def change_the_state(on: Stage) -> None:
    await on.do("UpdateConversation", {"State": "closed"}, Sid=on.sid)


async def change_attributes(on: Stage) -> None:
    await on.do("UpdateConversation", {"Attributes": "{}"}, Sid=on.sid)


async def delete(on: Stage) -> None:
    await on.do("DeleteConversation", Sid=on.sid)


async def read_on(on: Stage) -> None:
    await on.do(
        "UpdateConversationParticipant", {"LastReadMessageIndex": "0"}, Sid="bob", **on.here
    )


async def remove(on: Stage) -> None:
    await on.do("DeleteConversationParticipant", Sid="bob", **on.here)


async def create_a_user(on: Stage) -> None:
    await on.do("CreateUser", {"Identity": "new"})


async def name_a_user(on: Stage) -> None:
    await on.do("UpdateUser", {"FriendlyName": "Bob"}, Sid="bob")


async def text_two(on: Stage) -> None:
    second = {**PAIR, "MessagingBinding.Address": "+15558675311"}
    for pair in (PAIR, second):
        await on.quietly("CreateConversationParticipant", pair, **on.here)
    await send_message(on)


async def let_reachability_change(on: Stage) -> None:
    text = "UPDATE chat_user SET is_online = 1 - is_online WHERE account_sid = $1"
    await on.instance.store.write(lambda tx: tx.run(text, on.instance.scope.account_sid))


async def do_without_webhooks(on: Stage) -> None:
    """Roles, credentials and webhooks: changes of these call no webhook."""
    permissions = ["sendMessage"]
    role = {"FriendlyName": "r", "Type": "conversation", "Permission": permissions}
    made = await on.do("CreateRole", role)
    await on.do("UpdateRole", {"Permission": ["leaveConversation"]}, Sid=made.sid)
    await on.do("DeleteRole", Sid=made.sid)
    await on.do("CreateCredential", {"Type": "fcm", "Secret": "s"})
    form = {
        "Target": "webhook",
        "Configuration.Url": "https://hooks.example.com/",
        "Configuration.Filters": "onConversationUpdated",
    }
    hook = await on.do("CreateConversationScopedWebhook", form, **on.here)
    changed = {"Configuration.Filters": "onConversationRemoved"}
    await on.do("UpdateConversationScopedWebhook", changed, Sid=hook.sid, **on.here)
    await on.do("DeleteConversationScopedWebhook", Sid=hook.sid, **on.here)


Do = Callable[[Stage], Awaitable[None]]

# The action; its pre-action webhooks in order; its post-action webhooks in log order.
CASCADES: dict[str, tuple[Do, str, str]] = {
    "a message": (send_message, "onMessageAdd", "onMessageAdded"),
    "a message that wakes": (
        send_message_to_inactive,
        "onMessageAdd",
        "onMessageAdded onConversationStateUpdated",
    ),
    "a participant without a user": (
        add_new_user,
        "onParticipantAdd",
        "onUserAdded onParticipantAdded",
    ),
    "a participant with a user": (add_known_user, "onParticipantAdd", "onParticipantAdded"),
    "a conversation": (create, "onConversationAdd", "onConversationAdded"),
    "a conversation with two": (
        create_with_two,
        "onConversationAdd onParticipantAdd onParticipantAdd",
        (
            "onConversationAdded onParticipantAdded onUserAdded onParticipantAdded"
            " onConversationStateUpdated"
        ),
    ),
    "another state": (
        change_the_state,
        "onConversationUpdate",
        "onConversationUpdated onConversationStateUpdated",
    ),
    "another attribute": (change_attributes, "onConversationUpdate", "onConversationUpdated"),
    "the end of a conversation": (delete, "onConversationRemove", "onConversationRemoved"),
    "a read horizon": (read_on, "onParticipantUpdate", "onParticipantUpdated"),
    "a participant leaves": (remove, "onParticipantRemove", "onParticipantRemoved"),
    "a user": (create_a_user, "", "onUserAdded"),
    "a user's name": (name_a_user, "onUserUpdate", "onUserUpdated"),
    "a message to two telephones": (
        text_two,
        "onMessageAdd",
        "onMessageAdded onDeliveryUpdated onDeliveryUpdated onDeliveryUpdated onDeliveryUpdated",
    ),
    "reachability": (let_reachability_change, "", ""),
    "what has no event": (do_without_webhooks, "", ""),
}


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("name", CASCADES)
def test_an_action_calls_its_webhooks_in_order(
    run_scenario: ScenarioRunner, name: str, origin: str
) -> None:
    do, pre_action, post_action = CASCADES[name]

    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        on = Stage(instance, ORIGINS[origin])
        await on.furnish()
        await on.listen(backend)
        start = await instance.store.read(event_log.visible_through)
        await do(on)
        await instance.wait_until_idle()
        assert backend.events_sent_to("/pre") == pre_action.split()
        log = await instance.store.read(lambda tx: event_log.read_after(tx, start, 1000))
        public = [each for each in log if each.fires and each.name in event_names.POST_ACTION]
        assert [each.name for each in public] == post_action.split()
        assert sorted(backend.events_sent_to("/post")) == sorted(post_action.split())
        source, client = on.origin.source, on.origin.client_identity
        for each in backend.requests:
            if each.event != "onDeliveryUpdated":
                assert each.values["Source"] == source
                assert each.values.get("ClientIdentity") == client

    run_scenario(scenario)


@pytest.mark.parametrize("name", [name for name in CASCADES if "telephones" not in name])
def test_without_the_header_no_webhook_is_called(run_scenario: ScenarioRunner, name: str) -> None:
    do, _, _ = CASCADES[name]

    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        on = Stage(instance, SILENT)
        await on.furnish()
        await on.listen(backend)
        await do(on)
        await instance.wait_until_idle()
        assert backend.requests == []

    run_scenario(scenario)


def test_an_implicit_membership_change_calls_no_webhook_even_with_the_header(
    run_scenario: ScenarioRunner,
) -> None:
    """There the API takes no header; a client moves its own read horizon, which fires webhooks."""

    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        on = Stage(instance, WITH_HEADER)
        await on.furnish()
        await on.listen(backend)
        membership = {"UserSid": "bob", "ConversationSid": on.sid}
        await on.do("UpdateUserConversation", {"LastReadMessageIndex": "0"}, **membership)
        await on.do("DeleteUserConversation", **membership)
        await instance.wait_until_idle()
        assert backend.requests == []

    run_scenario(scenario)
