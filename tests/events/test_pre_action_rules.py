"""Pre-action webhooks: who is asked, when, how often, and that no transaction waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parlour.egress.client import OutboundRequest
from parlour.protocol import signatures
from parlour.resources.conversations import store as conversation_store
from parlour.vocabulary import limits
from tests.events.event_log_setup import until
from tests.events.in_process_server import AUTH_TOKEN, WITH_HEADER, House
from tests.events.pre_action_setup import Play, Room, player, refusal
from tests.events.webhook_backend import OK, Hooks, Told, answer, hang
from tests.support.machine_pressure import Stopwatch

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs a scene in a room of its own."""
    return player(tmp_path / "data")


# --- Who is asked, and when -----------------------------------------------------------------


def test_nobody_is_asked_about_what_is_wrong_anyway(play: Play) -> None:
    async def scene(room: Room) -> None:
        assert (await refusal(room.say(Author="x" * 257)))[1] == 50310
        assert (await refusal(room.house.say("CH" + "0" * 32, "x", WITH_HEADER)))[1] == 20404
        await room.house.do("UpdateConversation", {"State": "closed"}, Sid=room.sid)
        assert (await refusal(room.say()))[1] == 50377
        assert room.asked == []

    play(scene)


@pytest.mark.parametrize(
    "changes",
    [
        {"Filters": "onMessageAdded"},
        {"Filters": ""},
        {"PreWebhookUrl": ""},
        {"Target": "flex"},
    ],
    ids=["not in the filters", "no filters", "no URL", "flex"],
)
def test_nobody_is_asked_who_does_not_listen(play: Play, changes: dict[str, str]) -> None:
    async def scene(room: Room) -> None:
        await room.listen()
        await room.house.do("UpdateConfigurationWebhook", changes)  # type: ignore[arg-type]
        assert (await room.say()).body == "said"
        assert room.asked == []

    play(scene)


def test_without_the_header_nobody_is_asked(play: Play) -> None:
    async def scene(room: Room) -> None:
        room.answers(answer(403))
        assert (await room.house.say(room.sid, "said")).body == "said"
        assert room.hooks.told == []

    play(scene)


def test_a_service_that_is_not_there_is_asked_about_nothing(play: Play) -> None:
    async def scene(room: Room) -> None:
        elsewhere = {"ChatServiceSid": "IS" + "0" * 32}
        doing = room.house.do("CreateServiceConversation", origin=WITH_HEADER, **elsewhere)
        assert (await refusal(doing))[0] == 404
        assert room.asked == []

    play(scene)


def test_creating_a_user_is_not_asked_about(play: Play) -> None:
    async def scene(room: Room) -> None:
        room.answers(answer(403))
        await room.house.do("CreateUser", {"Identity": "new"}, origin=WITH_HEADER)
        await room.house.settled()
        assert [told.event for told in room.hooks.told] == ["onUserAdded"]

    play(scene)


def test_what_closed_meanwhile_is_closed(play: Play) -> None:
    async def scene(room: Room) -> None:
        async def close(told: Told, writer: asyncio.StreamWriter) -> None:
            await room.house.do("UpdateConversation", {"State": "closed"}, Sid=room.sid)
            writer.write(OK)

        room.answers(close)
        assert (await refusal(room.say()))[1] == 50377

    play(scene)


def test_an_index_is_given_when_the_message_is_kept(play: Play) -> None:
    async def scene(room: Room) -> None:
        async def overtake(told: Told, writer: asyncio.StreamWriter) -> None:
            await room.house.say(room.sid, "quicker")
            writer.write(OK)

        room.answers(overtake)
        assert (await room.say()).message_index == 1

    play(scene)


def test_the_request_is_signed_in_both_methods(play: Play) -> None:
    async def scene(room: Room) -> None:
        await room.listen(room.hooks.url("/pre?tenant=7"))
        await room.say("Grüße & 50% off")
        await room.listen(room.hooks.url("/pre?tenant=7"), Method="GET")
        await room.say("Grüße & 50% off")
        posted, got = room.hooks.at("/pre")
        url = f"http://127.0.0.1:{room.hooks.port}"
        for told, pairs in ((posted, posted.pairs), (got, [])):
            header = told.headers["x-twilio-signature"]
            assert signatures.is_signed(AUTH_TOKEN, url + told.target, header, pairs)
            assert told.values["Body"] == "Grüße & 50% off"
            assert told.headers["i-twilio-idempotency-token"].count("-") == 4
        assert got.target.startswith("/pre?tenant=7&AccountSid=AC")
        assert (got.body, "content-length" in got.headers) == (b"", False)

    play(scene)


# --- Sent again with the same key -----------------------------------------------------------


def test_a_request_sent_again_is_answered_and_not_asked_about(play: Play) -> None:
    async def scene(room: Room) -> None:
        async def say(body: str) -> Any:
            return await room.house.run(
                "CreateConversationMessage",
                {"Body": body},
                origin=WITH_HEADER,
                idempotency_key="k",
                ConversationSid=room.sid,
            )

        room.answers(answer(200, '{"body":"amended"}'))
        first = await say("said")
        room.answers(answer(403))
        again = await say("said")
        assert (first.result.body, first.replayed) == ("amended", None)
        assert again.replayed is not None
        assert first.result.sid in again.replayed.decode()
        assert (await refusal(say("other")))[0] == 422
        assert room.asked == ["onMessageAdd"]
        assert len((await room.rows())["messages"]) == 1

    play(scene)


def test_while_the_backend_thinks_the_key_is_taken(play: Play) -> None:
    async def scene(room: Room) -> None:
        async def say() -> Any:
            return await room.house.run(
                "CreateConversationMessage",
                {"Body": "said"},
                origin=WITH_HEADER,
                idempotency_key="k",
                ConversationSid=room.sid,
            )

        refused: list[tuple[int, int]] = []

        async def think(told: Told, writer: asyncio.StreamWriter) -> None:
            refused.append(await refusal(say()))
            writer.write(OK)

        room.answers(think)
        await say()
        assert refused == [(409, 20409)]

    play(scene)


# --- No transaction waits -------------------------------------------------------------------


@pytest.mark.embedded
def test_while_the_backend_thinks_no_transaction_is_open(play: Play) -> None:
    async def scene(room: Room) -> None:
        during: dict[str, Any] = {}

        async def look(told: Told, writer: asyncio.StreamWriter) -> None:
            during["open"] = room.house.store._writer.in_transaction
            during["rows"] = await room.rows()
            during["other"] = await room.house.say(room.sid, "not held up")
            writer.write(OK)

        room.answers(look)
        before = await room.rows()
        said = await room.say()
        assert during["open"] is False
        assert during["rows"] == before
        assert (during["other"].message_index, said.message_index) == (0, 1)

    play(scene)


def test_the_engine_refuses_a_network_inside_an_action(play: Play) -> None:
    async def scene(room: Room) -> None:
        egress = room.house.app.egress
        url = signatures.prepare_url(room.hooks.url("/pre"))
        request = OutboundRequest("POST", url, {}, b"")

        async def within(tx: Transaction) -> None:
            await egress.send(request)

        async def started(tx: Transaction) -> asyncio.Task[Any]:
            return asyncio.get_running_loop().create_task(egress.send(request))

        with pytest.raises(AssertionError, match="inside a transaction"):
            await room.house.store.write(within)
        with pytest.raises(AssertionError, match="inside a transaction"):
            await (await room.house.store.write(started))
        with pytest.raises(AssertionError, match="inside a transaction"):
            await room.house.store.read(within)
        assert (await egress.send(request)).status == 200
        assert len(room.hooks.told) == 1

    play(scene)


# --- A conversation with participants -------------------------------------------------------

TWO = ['{"identity":"ann"}', '{"identity":"ben"}']


async def state_of(room: Room, sid: str, *, is_done: bool = True) -> Any:
    """The conversation, once its completion has ended."""
    async with asyncio.timeout(10):
        while True:  # Ends with the timeout.
            found = await room.house.store.read(
                lambda tx: conversation_store.find_conversation(tx, room.house.scope, sid)
            )
            assert found is not None
            if not is_done or found.pending_participants is None:
                return found
            await asyncio.sleep(0.01)


def test_each_participant_is_asked_about_before_any_is_added(play: Play) -> None:
    async def scene(room: Room) -> None:
        form: Any = {"Participant": TWO}
        begun = await room.house.do("CreateConversationWithParticipants", form, origin=WITH_HEADER)
        made = await state_of(room, begun.sid)
        assert made.state == "active"
        await room.house.settled()
        names = [told.event for told in room.hooks.told]
        assert names[0] == "onConversationAdd"
        asked = room.hooks.at("/pre", "onParticipantAdd")
        assert sorted(told.values["Identity"] for told in asked) == ["ann", "ben"]
        assert "ParticipantSid" not in asked[0].values
        last_asked = max(place for place, name in enumerate(names) if name == "onParticipantAdd")
        assert last_asked < names.index("onParticipantAdded")

    play(scene)


def test_one_rejected_participant_ends_the_completion(play: Play) -> None:
    async def scene(room: Room) -> None:
        async def not_ben(told: Told, writer: asyncio.StreamWriter) -> None:
            status = 403 if told.values.get("Identity") == "ben" else 200
            await answer(status, '{"identity":"x"}')(told, writer)

        room.answers(not_ben)
        form: Any = {"Participant": TWO}
        begun = await room.house.do("CreateConversationWithParticipants", form, origin=WITH_HEADER)
        assert (await state_of(room, begun.sid)).state == "closed"
        await room.house.settled()
        assert room.hooks.at("/post", "onParticipantAdded") == []
        outcomes = {(row[0], row[1]) for row in await room.log()}
        assert ("onParticipantAdd", "rejected") in outcomes

    play(scene)


def test_a_rejected_conversation_is_not_begun(play: Play) -> None:
    async def scene(room: Room) -> None:
        room.answers(answer(403))
        form: Any = {"Participant": TWO, "UniqueName": "u"}
        doing = room.house.do("CreateConversationWithParticipants", form, origin=WITH_HEADER)
        assert await refusal(doing) == (403, 50056)
        assert room.asked == ["onConversationAdd"]
        assert (await refusal(room.house.do("FetchConversation", Sid="u")))[0] == 404

    play(scene)


def test_a_backend_that_hangs_holds_up_no_other_conversation(play: Play) -> None:
    async def scene(room: Room) -> None:
        async def only_participants(told: Told, writer: asyncio.StreamWriter) -> None:
            await (hang if told.event == "onParticipantAdd" else answer(200))(told, writer)

        room.answers(only_participants)
        form: Any = {"Participant": TWO}
        create = "CreateConversationWithParticipants"
        hanging = await room.house.do(create, form, origin=WITH_HEADER)
        await until(lambda: "onParticipantAdd" in room.asked)
        watch = Stopwatch()
        quick = await room.house.do(create, form)
        assert (await state_of(room, quick.sid)).state == "active"
        assert watch.seconds_at_least < 3
        assert (await state_of(room, hanging.sid, is_done=False)).state == "initializing"
        assert room.asked.count("onParticipantAdd") == 2

    play(scene)


def test_calls_to_a_backend_that_hangs_hold_the_places_of_one_host_only(play: Play) -> None:
    async def scene(room: Room) -> None:
        goes_on = asyncio.Event()

        async def answer_late(_told: Told, writer: asyncio.StreamWriter) -> None:
            await goes_on.wait()
            writer.write(OK)

        room.answers(answer_late)
        per_host = limits.OUTBOUND_REQUESTS_PER_TARGET_MAX
        waiting = room.house.app.egress._awaited_turns._waiting
        async with Hooks() as other, asyncio.TaskGroup() as tasks:
            held = [tasks.create_task(room.say("late")) for _ in range(3 * per_host)]
            await until(lambda: len(room.asked) + sum(map(len, waiting.values())) == len(held))
            assert len(room.asked) == per_host
            # Another host of the same account is asked at once.
            await room.listen(other.url("/pre"))
            await room.say("at once")
            assert other.events_at("/pre") == ["onMessageAdd"]
            assert not any(each.done() for each in held)
            assert len(room.asked) == per_host
            goes_on.set()
        assert sorted(each.result().message_index for each in held) == list(range(1, 1 + len(held)))

    play(scene)


def test_a_stop_while_the_backend_thinks_loses_no_conversation(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Hooks() as hooks:
            async with House(tmp_path / "data") as house:
                room = Room(house, hooks)
                await room.listen(Filters=["onParticipantAdd"])
                room.answers(hang)
                form: Any = {"Participant": TWO}
                create = "CreateConversationWithParticipants"
                begun = await house.do(create, form, origin=WITH_HEADER)
                await until(lambda: len(room.asked) == 2)
            del hooks.answers["/pre"]
            async with House(tmp_path / "data") as house:
                again = Room(house, hooks)
                assert (await state_of(again, begun.sid)).state == "active"

    asyncio.run(scene())


def test_what_is_kept_of_a_question(play: Play) -> None:
    async def scene(room: Room) -> None:
        room.answers(answer(403, "no"))
        await refusal(room.say())
        await room.log()
        sql = "SELECT url, state, parameters, scope FROM webhook_delivery LIMIT 10"
        ((url, state, parameters, scope),) = await room.house.store.read(lambda tx: tx.all(sql))
        assert (url, state, scope) == (room.hooks.url("/pre"), "asked", "account")
        assert msgspec.json.decode(parameters)["Body"] == "said"
        ((*_, text),) = await room.log()
        assert text == "no"

    play(scene)
