"""Which webhooks hear of an event: precedence, filters, triggers, flows, and replays."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from parlour.delivery.targets import pre_action_target, targets_of
from parlour.store import event_log
from parlour.vocabulary import event_names, limits
from tests.events.in_process_server import (
    ACCOUNT_SID,
    ALICE,
    BY_SMS,
    WITH_HEADER,
    House,
    Play,
    player,
)
from tests.events.webhook_backend import Hooks

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.delivery.targets import WebhookTarget
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.event import Event
    from parlour.vocabulary.scope import Scope


FLOW_SID = "FW" + "0" * 31 + "1"
EVERYTHING = sorted(event_names.FILTERS)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs a scene on a server of its own."""
    return player(tmp_path / "data")


async def account(house: House, hooks: Hooks, **changes: Any) -> None:
    """Webhooks of the account for everything."""
    form = {
        "PreWebhookUrl": hooks.url("/account/pre"),
        "PostWebhookUrl": hooks.url("/account/post"),
        "Filters": EVERYTHING,
    }
    await house.do("UpdateConfigurationWebhook", form | changes)


async def service(house: House, service_sid: str, **form: Any) -> None:
    """Webhooks of a service, just as they are given."""
    await house.do("UpdateServiceWebhookConfiguration", form, ChatServiceSid=service_sid)


def paths(hooks: Hooks) -> list[str]:
    """Which paths were told something, in order."""
    return [told.path for told in hooks.told]


# --- Account and service --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (None, ["/account/pre", "/account/post"]),
        ("PreWebhookUrl", ["/service"]),
        ("PostWebhookUrl", ["/service"]),
    ],
)
def test_one_url_of_a_service_replaces_everything_of_its_account(
    play: Play, side: str | None, expected: list[str]
) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        await account(house, hooks)
        urls = {} if side is None else {side: hooks.url("/service")}
        await service(house, house.scope.service_sid, Filters=EVERYTHING, **urls)
        await house.do("CreateConversation", origin=WITH_HEADER)
        await house.settled()
        assert paths(hooks) == expected

    play(scene)


def test_another_service_keeps_the_webhooks_of_the_account(play: Play) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        await account(house, hooks)
        other = (await house.do("CreateService", {"FriendlyName": "Other"})).sid
        url = hooks.url("/service")
        await service(house, other, PostWebhookUrl=url, Filters=["onConversationAdded"])
        elsewhere = {"ChatServiceSid": other}
        await house.do("CreateServiceConversation", origin=WITH_HEADER, **elsewhere)
        await house.do("CreateConversation", origin=WITH_HEADER)
        await house.settled()
        assert sorted(paths(hooks)) == ["/account/post", "/account/pre", "/service"]

    play(scene)


def test_a_service_whose_urls_are_cleared_falls_back(play: Play) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        await account(house, hooks)
        own = house.scope.service_sid
        await service(house, own, PostWebhookUrl=hooks.url("/service"), Filters=EVERYTHING)
        await service(house, own, PostWebhookUrl="")
        await house.do("CreateConversation", origin=WITH_HEADER)
        await house.settled()
        assert paths(hooks) == ["/account/pre", "/account/post"]

    play(scene)


def test_the_filters_and_the_method_are_those_of_the_configuration_that_counts(
    play: Play,
) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        await account(house, hooks)
        await service(
            house,
            house.scope.service_sid,
            PreWebhookUrl=hooks.url("/service"),
            PostWebhookUrl=hooks.url("/service"),
            Method="get",
            Filters=["onConversationAdded", "onMessageAdd"],
        )
        made = await house.do("CreateConversation", origin=WITH_HEADER)
        await house.say(made.sid, "x", WITH_HEADER)
        await house.settled()
        told = {(each.method, each.event) for each in hooks.told}
        assert told == {("GET", "onConversationAdded"), ("GET", "onMessageAdd")}

    play(scene)


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_name_goes_to_its_own_side(play: Play, name: str) -> None:
    """Names before the action to the one URL, names after it to the other, and no other name."""

    async def scene(house: House, hooks: Hooks) -> None:
        await account(house, hooks, Filters=[name])
        found = await house.store.read(lambda tx: sides(tx, house.scope))
        side = "before" if name in event_names.PRE_ACTION else "after"
        path = "/account/pre" if side == "before" else "/account/post"
        assert found == [(side, name, hooks.url(path))]

    play(scene)


async def sides(tx: Transaction, scope: Scope) -> list[tuple[str, str, str]]:
    """Every name that goes somewhere: on which side, and where."""
    found = []
    for name in EVERYTHING:
        target = await pre_action_target(tx, scope, name)
        if target is not None and name in event_names.PRE_ACTION:
            found.append(("before", name, target.url))
        if name in event_names.POST_ACTION:
            told = await targets_of(tx, event(name, scope))
            found += [("after", name, each.url) for each in told]
    return found


def event(
    name: str, scope: Scope, payload: str = '{"scoped_webhooks":[]}', **changes: Any
) -> Event:
    """An event that fires."""
    values: dict[str, Any] = {
        "sequence": 1 << 62,
        "account_sid": scope.account_sid,
        "service_sid": scope.service_sid,
        "conversation_sid": "CH" + "0" * 32,
        "subject_sid": "CH" + "0" * 32,
        "name": name,
        "source": "API",
        "client_identity": None,
        "fires": True,
        "date_ms": 1,
        "payload": '{"scoped_webhooks":[]}',
    }
    return event_names.Event(**values)


def test_flex_is_kept_and_silent(play: Play) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        await account(house, hooks, Target="flex")
        made = await house.do("CreateConversation", origin=WITH_HEADER)
        await house.attach(made.sid, Url=hooks.url("/scoped"), Filters="onMessageAdded")
        await house.say(made.sid, "x", WITH_HEADER)
        await house.settled()
        assert paths(hooks) == ["/scoped"]
        assert (await house.do("FetchConfigurationWebhook")).target == "flex"

    play(scene)


def test_every_scope_is_told_once(play: Play) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        await account(house, hooks)
        made = await house.do("CreateConversation")
        for number in range(limits.WEBHOOKS_PER_CONVERSATION_MAX):
            url = hooks.url(f"/scoped{number}")
            await house.attach(made.sid, Url=url, Filters="onMessageAdded")
        await house.say(made.sid, "x", ALICE)
        await house.settled()
        expected = ["/account/post", *(f"/scoped{number}" for number in range(5))]
        assert sorted(paths(hooks)) == sorted(["/account/pre", *expected])
        tokens = {told.headers["i-twilio-idempotency-token"] for told in hooks.told}
        assert len(tokens) == 7

    play(scene)


@pytest.mark.parametrize(
    ("origin", "is_told"),
    [(ALICE, True), (BY_SMS, True), (WITH_HEADER, True), (None, False)],
    ids=["client", "sms", "header", "api"],
)
def test_who_fires(play: Play, origin: Any, is_told: bool) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        await account(house, hooks)
        await service(house, house.scope.service_sid, Filters=EVERYTHING)
        made = await house.do("CreateConversation")
        await house.attach(made.sid, Url=hooks.url("/scoped"), Filters="onMessageAdded")
        await house.attach(made.sid, "trigger", Url=hooks.url("/trigger"), Triggers="x")
        origins = {} if origin is None else {"origin": origin}
        await house.say(made.sid, "x", **origins)
        await house.settled()
        heard = {"/account/pre", "/account/post", "/scoped", "/trigger"}
        assert set(paths(hooks)) == (heard if is_told else set())

    play(scene)


# --- Webhooks of conversations --------------------------------------------------------------


def test_a_webhook_hears_of_its_own_conversation_and_its_own_filters(play: Play) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        mine = (await house.do("CreateConversation")).sid
        other = (await house.do("CreateConversation")).sid
        await house.attach(mine, Url=hooks.url("/mine"), Filters="onMessageAdded", Method="GET")
        for sid in (mine, other):
            await house.say(sid, "x", WITH_HEADER)
            await house.do("UpdateConversation", {"Attributes": "{}"}, origin=ALICE, Sid=sid)
        await house.settled()
        (told,) = hooks.told
        assert (told.method, told.event) == ("GET", "onMessageAdded")
        assert told.values["ConversationSid"] == mine

    play(scene)


def test_a_webhook_hears_nothing_after_it_was_detached(play: Play) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        webhook = await house.attach(sid, Url=hooks.url("/s"), Filters="onMessageAdded")
        await house.say(sid, "one", WITH_HEADER)
        await house.settled()
        here = {"ConversationSid": sid, "Sid": webhook.sid}
        await house.do("DeleteConversationScopedWebhook", **here)
        await house.say(sid, "two", WITH_HEADER)
        await house.settled()
        assert [told.values["Body"] for told in hooks.told] == ["one"]

    play(scene)


# With one writer, what was begun first is done first.
@pytest.mark.embedded
def test_the_end_of_a_conversation_is_told_to_its_webhooks(play: Play) -> None:
    """And so is what came before the end, even where it is read from the log afterwards."""

    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        names = ["onMessageAdded", "onConversationRemoved"]
        await house.attach(sid, Url=hooks.url("/s"), Filters=names)
        doing = [
            house.say(sid, "last", WITH_HEADER),
            house.do("DeleteConversation", origin=WITH_HEADER, Sid=sid),
        ]
        await asyncio.gather(*doing)
        await house.settled()
        assert hooks.events_at("/s") == names

    play(scene)


def test_what_is_read_after_the_end_goes_to_the_webhooks_of_the_time(play: Play) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        first = await house.attach(sid, Url=hooks.url("/first"), Filters="onMessageAdded")
        await house.say(sid, "x")
        late = await house.attach(sid, Url=hooks.url("/late"), Filters="onMessageAdded")
        await house.say(sid, "y")
        await house.do("DeleteConversation", Sid=sid)
        targets = await fired_again(house, "onMessageAdded")
        assert [[each.key for each in found] for found in targets] == [
            [first.sid],
            [first.sid, late.sid],
        ]

    play(scene)


async def fired_again(house: House, name: str) -> list[list[WebhookTarget]]:
    """Whom each event of this name would go to now, if it fired."""

    async def read(tx: Transaction) -> list[list[WebhookTarget]]:
        log = await event_log.read_after(tx, 0, 1000)
        found = [replace(each, fires=True) for each in log if each.name == name]
        return [await targets_of(tx, each) for each in found]

    return await house.store.read(read)


@pytest.mark.embedded
def test_a_webhook_hears_nothing_from_before_it_was_attached(play: Play) -> None:
    """In the same millisecond too: the log's order counts, not the clock."""

    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        house.app.store._write_tx._clock = Stopped()  # type: ignore[assignment]
        for number in range(3):
            await house.say(sid, f"before {number}")
        webhook = await house.attach(sid, Url=hooks.url("/s"), Filters="onMessageAdded")
        await house.say(sid, "after")
        targets = await fired_again(house, "onMessageAdded")
        assert [[each.key for each in found] for found in targets] == [[], [], [], [webhook.sid]]

    play(scene)


class Stopped:
    """A clock that stands still."""

    def now_ms(self) -> int:
        """Always the same."""
        return 1_900_000_000_000


# --- Triggers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "body", "is_triggered"),
    [
        (["help"], "I need HELP!", True),
        (["HELP"], "helpless", True),
        (["help", "please"], "help, please", True),
        (["Straße"], "STRASSE", True),
        (["50% off"], "now 50% off", True),
        ([" "], "a b", True),
        (["help"], "hel p", False),
        (["help"], "", False),
        (["a", "b", "c", "d", "e"], "xyz e", True),
    ],
)
def test_a_trigger(play: Play, words: list[str], body: str, is_triggered: bool) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        await house.attach(sid, "trigger", Url=hooks.url("/t"), Triggers=words)
        said = await house.say(sid, body, WITH_HEADER)
        here = {"ConversationSid": sid, "Sid": said.sid}
        form: Any = {"Body": words[0]}
        await house.do("UpdateConversationMessage", form, origin=WITH_HEADER, **here)
        await house.settled()
        assert hooks.events_at("/t") == (["onMessageAdded"] if is_triggered else [])

    play(scene)


def test_a_message_without_a_body_triggers_nothing(play: Play) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        await house.attach(sid, "trigger", Url=hooks.url("/t"), Triggers=["system", "null"])
        here = {"ConversationSid": sid}
        await house.do("CreateConversationMessage", {}, origin=WITH_HEADER, **here)
        await house.settled()
        assert hooks.told == []

    play(scene)


# --- Flows ----------------------------------------------------------------------------------


def test_a_flow_is_started_where_flows_are_run(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Hooks() as hooks:
            studio_url = hooks.url("/studio/")
            async with House(tmp_path / "data", webhook_studio_url=studio_url) as house:
                sid = (await house.do("CreateConversation")).sid
                await house.attach(sid, "studio", FlowSid=FLOW_SID)
                await house.say(sid, "silent")
                await house.say(sid, "loud", WITH_HEADER)
                await house.do("UpdateConversation", {"Attributes": "{}"}, origin=ALICE, Sid=sid)
                await house.settled()
            (told,) = hooks.told
            assert told.path == f"/studio/v1/Accounts/{ACCOUNT_SID}/Flows/{FLOW_SID}"
            assert (told.method, told.values["Body"]) == ("POST", "loud")

    asyncio.run(scene())


def test_a_flow_hears_what_its_filters_say(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Hooks() as hooks:
            studio_url = hooks.url("/studio")
            async with House(tmp_path / "data", webhook_studio_url=studio_url) as house:
                sid = (await house.do("CreateConversation")).sid
                values = {"FlowSid": FLOW_SID, "Filters": "onConversationUpdated"}
                await house.attach(sid, "studio", **values)
                await house.say(sid, "x", WITH_HEADER)
                await house.do("UpdateConversation", {"Attributes": "{}"}, origin=ALICE, Sid=sid)
                await house.settled()
            assert [told.event for told in hooks.told] == ["onConversationUpdated"]

    asyncio.run(scene())


def test_without_a_place_for_flows_the_webhook_is_only_kept(play: Play) -> None:
    async def scene(house: House, hooks: Hooks) -> None:
        sid = (await house.do("CreateConversation")).sid
        await house.attach(sid, "studio", FlowSid=FLOW_SID)
        await house.attach(sid, Url=hooks.url("/s"), Filters="onMessageAdded")
        await house.say(sid, "x", WITH_HEADER)
        await house.settled()
        assert paths(hooks) == ["/s"]

    play(scene)
