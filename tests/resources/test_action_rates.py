"""Actions per second: changes beyond the rate get 429 and change nothing; off by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.operations.action_rates import ActionRates
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock
from parlour.vocabulary.errors import RETRY_AFTER, ApiError
from tests.events.in_process_server import WITH_HEADER, House
from tests.realtime.users import People, player
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.realtime.users import Play

BURST = limits.ACTIONS_WINDOW_MS // 1000
"""What passes at once where one action per second is allowed."""
TOO_MANY = (429, 50063)
TOO_MANY_OF_ACCOUNT = (429, 50074)


@pytest.fixture(scope="module")
def limited() -> Iterator[Server]:
    """A server that allows one action per second."""
    with Server(args=("--actions-per-second", "1")) as running:
        yield running


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs a scene on such a server, whose clock stands still unless the test moves it."""
    return player(tmp_path / "data", actions_per_second=1)


def stop_clock(house: House) -> FakeClock:
    """Count from now on by a clock that stands still."""
    clock = FakeClock()
    house.app.pipeline._action_rates = ActionRates(clock, house.app.settings.actions_per_second)
    return clock


async def refused(house: House, operation_id: str, form: Any = None, **path: str) -> Any:
    """The status and the code with which a call is refused; it must say when to come back."""
    with pytest.raises(ApiError) as caught:
        await house.do(operation_id, form, **path)
    assert caught.value.headers == RETRY_AFTER
    return caught.value.status, caught.value.code


@pytest.mark.promise("--actions-per-second", 429)
@pytest.mark.promise("reference/quirks.md", "and of a service beyond N, are answered 429")
def test_over_rest_it_is_429_with_retry_after_and_nothing_changed(limited: Server) -> None:
    api = Api(limited.base_url, *limited.make_account())
    sid = api.post("/Conversations").expect(201)["sid"]
    path = f"/Conversations/{sid}/Messages"
    made = 0
    while (reply := api.post(path, Body=str(made))).status == 201:
        made += 1
        assert made < 100 * BURST, "The rate was never exceeded."
    assert made >= BURST
    reply.refuses(429, 50063)
    assert reply.headers["Retry-After"] == "1"
    said = [each["body"] for each in api.get(path, PageSize=100).expect(200)["messages"]]
    assert said == [str(number) for number in range(made)]
    eventually(lambda: api.post(path, Body="later").status, lambda status: status == 201)
    api.close()


def test_another_account_cannot_use_up_the_rate_of_a_conversation(limited: Server) -> None:
    api, foreign = (Api(limited.base_url, *limited.make_account()) for _ in range(2))
    path = f"/Conversations/{api.post('/Conversations').expect(201)['sid']}/Messages"
    for number in range(4 * BURST):
        foreign.post(path, Body=str(number))
    api.post(path, Body="not mine").expect(201)
    foreign.close()
    api.close()


def test_the_setting_is_off_by_default(api: Api, tmp_path: Path) -> None:
    async def scene(people: People) -> None:
        assert people.house.app.pipeline._action_rates is None

    player(tmp_path / "data")(scene)
    path = f"/Conversations/{api.post('/Conversations').expect(201)['sid']}"
    for number in range(40):
        api.post(path, FriendlyName=f"Name {number}").expect(200)


def test_changes_of_one_conversation_count_together_whatever_names_it(play: Play) -> None:
    async def scene(people: People) -> None:
        house = people.house
        sid = (await house.do("CreateConversation", {"UniqueName": "room"})).sid
        service = {"ChatServiceSid": house.scope.service_sid}
        clock = stop_clock(house)
        await house.say(sid, "by SID")
        await house.say("room", "by unique name")
        await house.do("UpdateConversation", {"FriendlyName": "x"}, Sid="room")
        await house.do(
            "CreateServiceConversationParticipant",
            {"Identity": "a"},
            ConversationSid=sid,
            **service,
        )
        await house.do("UpdateServiceConversation", {"FriendlyName": "y"}, Sid=sid, **service)
        for operation, form, path in (
            ("CreateConversationMessage", {"Body": "b"}, {"ConversationSid": "room"}),
            ("CreateConversationParticipant", {"Identity": "b"}, {"ConversationSid": sid}),
            ("DeleteConversationParticipant", None, {"ConversationSid": sid, "Sid": "a"}),
            ("UpdateConversation", {"FriendlyName": "z"}, {"Sid": sid}),
            ("UpdateServiceConversation", {"FriendlyName": "z"}, {"Sid": sid, **service}),
        ):
            assert await refused(house, operation, form, **path) == TOO_MANY, operation
        await house.attach(sid, Url="http://127.0.0.1/", Filters="onMessageAdded")  # Not an action.
        found = await house.do("FetchConversation", Sid=sid)
        assert found.friendly_name == "y"
        assert (await house.do("FetchConversationParticipant", ConversationSid=sid, Sid="a")).sid
        clock.advance(1000)
        await house.say(sid, "a second later")
        assert await refused(house, "DeleteConversationParticipant", ConversationSid=sid, Sid="a")

    play(scene)


def test_conversations_users_and_roles_count_for_their_service(play: Play) -> None:
    async def scene(people: People) -> None:
        house = people.house
        other = (await house.do("CreateService", {"FriendlyName": "x"})).sid
        stop_clock(house)
        made = (await house.do("CreateConversation")).sid
        role = {"FriendlyName": "r", "Type": "service", "Permission": "editOwnUserInfo"}
        role_sid = (await house.do("CreateRole", role)).sid
        user = (await house.do("CreateUser", {"Identity": "a"})).sid
        await house.do("CreateConversationWithParticipants")
        await house.do("CreateServiceConversation", ChatServiceSid=house.scope.service_sid)
        for operation, form, path in (
            ("CreateConversation", None, {}),
            ("DeleteConversation", None, {"Sid": made}),
            ("CreateUser", {"Identity": "b"}, {}),
            ("UpdateUser", {"FriendlyName": "b"}, {"Sid": user}),
            ("DeleteUser", None, {"Sid": user}),
            ("DeleteRole", None, {"Sid": role_sid}),
        ):
            assert await refused(house, operation, form, **path) == TOO_MANY, operation
        await house.say(made, "counts for the conversation")
        await house.do("CreateServiceConversation", ChatServiceSid=other)

    play(scene)


@pytest.mark.promise("ACTIONS_OF_ACCOUNT_FACTOR", 429)
def test_an_account_has_ten_times_as_many_in_all(play: Play) -> None:
    async def scene(people: People) -> None:
        house = people.house
        house.app.pipeline._action_rates = None
        sids = [(await house.do("CreateConversation")).sid for _ in range(11)]
        clock = stop_clock(house)
        in_all = BURST * limits.ACTIONS_OF_ACCOUNT_FACTOR
        for number in range(in_all):
            await house.say(sids[number // BURST], str(number))
        assert await refused(house, "CreateConversation") == TOO_MANY_OF_ACCOUNT
        said = {"Body": "one too many"}
        path = {"ConversationSid": sids[-1]}
        assert await refused(house, "CreateConversationMessage", said, **path) == (
            TOO_MANY_OF_ACCOUNT
        )
        clock.advance(100)
        assert (await house.say(sids[-1], "one")).message_index == 0, (
            "What was refused took no index."
        )

    play(scene)


def test_commands_of_clients_count_like_calls_of_rest(play: Play) -> None:
    async def scene(people: People) -> None:
        sid = await people.room("bob")
        clock = stop_clock(people.house)
        for number in range(BURST):
            said = await people.post("bob", f"Conversations/{sid}/Messages", {"body": str(number)})
            assert said.status == 201
        path = f"Conversations/{sid}/Messages"
        assert (await people.post("bob", path, {"body": "x"})).refusal == TOO_MANY
        assert await refused(
            people.house, "CreateConversationMessage", {"Body": "x"}, ConversationSid=sid
        )
        typed = await people.typing("bob", f"ChannelSid={sid}".encode())
        assert typed.status == 200, "Typing changes nothing."
        clock.advance(1000)
        assert (await people.post("bob", path, {"body": "x"})).body["index"] == BURST

    play(scene)


def test_a_call_is_counted_once_whoever_is_asked_before_it(play: Play) -> None:
    async def scene(people: People) -> None:
        house, hooks = people.house, people.hooks
        sid = await people.room("bob")
        url = hooks.url("/before")
        await house.do(
            "UpdateConfigurationWebhook", {"PreWebhookUrl": url, "Filters": "onMessageAdd"}
        )
        stop_clock(house)
        for number in range(BURST):
            await house.say(sid, str(number), WITH_HEADER)
        with pytest.raises(ApiError) as caught:
            await house.say(sid, "x", WITH_HEADER)
        assert (caught.value.status, caught.value.code) == TOO_MANY
        assert len(hooks.at("/before")) == BURST, "A refused call is not asked about."

    play(scene)


def test_a_repeated_call_with_its_idempotency_key_is_not_counted(play: Play) -> None:
    async def scene(people: People) -> None:
        house = people.house
        sid = await people.room("bob")
        stop_clock(house)
        for number in range(BURST):
            await house.run(
                "CreateConversationMessage",
                {"Body": str(number)},
                idempotency_key=f"key {number}",
                ConversationSid=sid,
            )
        again = await house.run(
            "CreateConversationMessage",
            {"Body": "0"},
            idempotency_key="key 0",
            ConversationSid=sid,
        )
        assert again.replayed is not None
        assert await refused(house, "CreateConversationMessage", {"Body": "x"}, ConversationSid=sid)

    play(scene)
