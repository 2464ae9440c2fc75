"""Pre-action webhooks: the meaning of each response, and what it can amend."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary import limits
from tests.events.in_process_server import ALICE, BY_SMS, WITH_HEADER, InProcessServer, poll_until
from tests.events.pre_action_setup import PreActionSetup, ScenarioRunner, refusal, scenario_runner
from tests.events.webhook_backend import OK, WebhookBackend, hang, hang_up, respond_with
from tests.support.machine_pressure import Stopwatch

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from tests.events.webhook_backend import Responder

TOO_LARGE = b'{"body":"amended","filler":"' + b"x" * 65536 + b'"}'


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene in a separate conversation."""
    return scenario_runner(tmp_path / "data")


# --- What each answer means -----------------------------------------------------------------

UNCHANGED = {
    "empty": respond_with(200),
    "no members": respond_with(200, "{}"),
    "blank": respond_with(200, " \r\n"),
    "201": respond_with(201),
    "202 with no members": respond_with(202, "{}"),
    "204": respond_with(204),
    "unknown members": respond_with(200, '{"Body":"x","friendly_name":"x","sid":"x","index":7}'),
    "null": respond_with(200, '{"body":null,"author":null,"attributes":null}'),
    "an empty author": respond_with(200, '{"author":""}'),
}
NONSENSE = {
    "text": respond_with(200, "ok"),
    "TwiML": respond_with(200, "<Response/>"),
    "broken": respond_with(200, '{"body":"amended"'),
    "twice": respond_with(200, '{"body":"amended"}{}'),
    "array": respond_with(200, '[{"body":"amended"}]'),
    "string": respond_with(200, '"amended"'),
    "number": respond_with(200, "7"),
    "half a character": respond_with(200, '{"body":"\\ud800"}'),
    "not UTF-8": respond_with(200, b'{"body":"\xff"}'),
    "deep": respond_with(200, '{"body":' + "[" * 5000),
    "too large": respond_with(200, TOO_LARGE),
}


@pytest.mark.parametrize("given", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_the_change_proceeds_unchanged(run_scenario: ScenarioRunner, given: Responder) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(given)
        message = await setup.send_message(Author="carol", Attributes='{"a":1}')
        assert (message.body, message.author, message.attributes) == ("said", "carol", '{"a":1}')
        ((name, outcome, _, code, error, _),) = await setup.log()
        assert (name, outcome, code, error) == ("onMessageAdd", "delivered", None, None)

    run_scenario(scenario)


@pytest.mark.parametrize("given", NONSENSE.values(), ids=NONSENSE.keys())
def test_an_invalid_response_changes_nothing_and_is_recorded(
    run_scenario: ScenarioRunner, given: Responder
) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(given)
        assert (await setup.send_message()).body == "said"
        ((_, outcome, status, _, error, _),) = await setup.log()
        assert (outcome, status) == ("delivered", 200)
        assert error is not None
        assert error.startswith("the answer is ")

    run_scenario(scenario)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 400, 401, 403, 404, 410, 429])
@pytest.mark.promise("3xx (not followed), 4xx, 5xx", 403)
@pytest.mark.promise("4xx or 5xx", 403)
def test_any_other_status_rejects(run_scenario: ScenarioRunner, status: int) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(
            respond_with(status, '{"body":"amended"}', f"Location: {setup.backend.url('/x')}")
        )
        before = await setup.rows()
        assert await refusal(setup.send_message()) == (403, 50056)
        assert await setup.rows() == before
        await setup.instance.wait_until_idle()
        assert [request.path for request in setup.backend.requests] == ["/pre"]
        ((_, outcome, logged, code, _, _),) = await setup.log()
        assert (outcome, logged) == ("rejected", status)
        assert code == (50056 if status >= 400 else 11216)

    run_scenario(scenario)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 599])
@pytest.mark.promise("explanation/webhooks.md", "an error status rejects it with 403")
def test_an_error_of_the_backend_rejects(run_scenario: ScenarioRunner, status: int) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(respond_with(status))
        assert await refusal(setup.send_message()) == (403, 50056)
        assert (await setup.rows())["messages"] == []

    run_scenario(scenario)


def test_a_slow_backend_is_not_waited_for(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WEBHOOK_SECONDS_MAX", 0.3)

    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(hang)
        watch, began = Stopwatch(), asyncio.get_running_loop().time()
        assert (await setup.send_message()).body == "said"
        assert asyncio.get_running_loop().time() - began >= 0.3
        assert watch.seconds_at_least < 3
        ((_, outcome, status, code, _, _),) = await setup.log()
        assert (outcome, status, code) == ("failed", None, 50076)

    run_scenario(scenario)


def test_waiting_for_a_turn_counts_as_waiting(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No number of concurrent calls of a slow backend makes one wait longer than the limit."""
    monkeypatch.setattr(limits, "WEBHOOK_SECONDS_MAX", 0.5)

    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(hang)
        count = 3 * limits.OUTBOUND_REQUESTS_PER_TARGET_MAX
        watch = Stopwatch()
        message = await asyncio.gather(*(setup.send_message() for _ in range(count)))
        assert watch.seconds_at_least < 1.5
        assert sorted(each.message_index for each in message) == list(range(count))

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:1/", 11205),
        ("http://nowhere.test/", 11210),
        ("https://127.0.0.1:{rude}/", 11220),
        ("http://127.0.0.1:{port}/rude", 11205),
        ("http://169.254.169.254/", 11205),
    ],
)
def test_an_unreachable_webhook_blocks_nothing(
    run_scenario: ScenarioRunner, url: str, code: int
) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        async def resolve(name: str) -> list[str]:
            raise OSError(name)

        setup.instance.app.egress._resolve = resolve

        async def no_tls(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(OK)
            writer.close()

        setup.backend.responders["/rude"] = hang_up
        async with await asyncio.start_server(no_tls, "127.0.0.1", 0) as rude:
            ports = {"port": setup.backend.port, "rude": rude.sockets[0].getsockname()[1]}
            await setup.listen(url.format(**ports))
            assert (await setup.send_message()).body == "said"
        ((_, outcome, status, logged, error, _),) = await setup.log()
        assert (outcome, status, logged) == ("failed", None, code)
        assert error

    run_scenario(scenario)


# --- Amendments by a response ---------------------------------------------------------------


@pytest.mark.parametrize("origin", [WITH_HEADER, ALICE, BY_SMS], ids=["API", "SDK", "SMS"])
@pytest.mark.parametrize("status", [200, 201])
def test_a_new_message_is_stored_as_amended(
    run_scenario: ScenarioRunner, origin: Any, status: int
) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        members = {"body": "amended", "author": "erin", "attributes": '{"b": 2}', "index": 9}
        setup.answers(respond_with(status, json.dumps(members), "Content-Type: text/plain"))
        message = await setup.instance.send_message(setup.sid, "said", origin)
        assert (message.body, message.author, message.attributes) == ("amended", "erin", '{"b": 2}')
        assert (await setup.rows())["messages"] == [message]
        await setup.instance.wait_until_idle()
        (request,) = setup.backend.requests_to("/post")
        assert request.values["Body"] == "amended"
        assert request.values["Author"] == "erin"

    run_scenario(scenario)


def test_members_that_are_not_given_keep_their_values(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(respond_with(200, '{"body":"amended"}'))
        message = await setup.send_message(Author="carol", Attributes='{"a":1}', Subject="s")
        assert (message.body, message.author) == ("amended", "carol")
        assert (message.attributes, message.subject) == ('{"a":1}', "s")

    run_scenario(scenario)


def test_attributes_may_be_an_object_and_stay_as_written(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(
            respond_with(200, '{"attributes": {"big": 12345678901234567890123, "a": [1 ]} }')
        )
        message = await setup.send_message()
        assert message.attributes == '{"big": 12345678901234567890123, "a": [1 ]}'

    run_scenario(scenario)


def test_a_byte_order_mark_is_no_nonsense(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(respond_with(200, b'\xef\xbb\xbf{"body":"amended"}'))
        assert (await setup.send_message()).body == "amended"

    run_scenario(scenario)


def test_a_changed_message_is_stored_as_amended(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        message = await setup.instance.send_message(setup.sid, "first")
        setup.answers(respond_with(200, '{"body":"amended","author":"erin"}'))
        here = {"ConversationSid": setup.sid, "Sid": message.sid}
        form: Any = {"Attributes": '{"a":1}'}
        changed = await setup.instance.do(
            "UpdateConversationMessage", form, origin=WITH_HEADER, **here
        )
        assert (changed.body, changed.author) == ("amended", "erin")
        assert changed.attributes == '{"a":1}'
        assert (await setup.rows())["messages"] == [changed]

    run_scenario(scenario)


def test_conversations_are_stored_as_amended(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(
            respond_with(200, '{"friendly_name":"amended","attributes":{"a":1},"state":"x"}')
        )
        form: Any = {"FriendlyName": "said", "UniqueName": "u"}
        made = await setup.instance.do("CreateConversation", form, origin=WITH_HEADER)
        assert (made.friendly_name, made.attributes) == ("amended", '{"a":1}')
        assert (made.unique_name, made.state) == ("u", "active")
        form = {"Attributes": "{}"}
        changed = await setup.instance.do(
            "UpdateConversation", form, origin=WITH_HEADER, Sid=setup.sid
        )
        assert (changed.friendly_name, changed.attributes) == ("amended", '{"a":1}')
        assert (await setup.rows())["conversation"] == [changed]

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ('{"attributes":"{"}', 400, 50304),
        ('{"attributes":7}', 400, 50304),
        ('{"attributes":"\\"' + "x" * 4096 + '\\""}', 400, 50303),
        ('{"author":"' + "x" * 257 + '"}', 400, 50310),
        ('{"body":"' + "x" * 32769 + '"}', 400, 50504),
        ('{"body":7}', 400, 20001),
        ('{"body":{"a":1}}', 400, 20001),
        ('{"author":true}', 400, 20001),
        ('{"body":"a\\u0000b"}', 400, 20001),
    ],
)
def test_an_amended_value_that_is_wrong_fails_the_action(
    run_scenario: ScenarioRunner, members: str, status: int, code: int
) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        setup.answers(respond_with(200, members))
        before = await setup.rows()
        found = await refusal(setup.send_message())
        assert found[1] == code
        assert found[0] // 100 == status // 100
        assert await setup.rows() == before

    run_scenario(scenario)


def test_an_amended_body_may_be_too_long_for_a_phone(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        pair: Any = {
            "MessagingBinding.Address": "+15558675310",
            "MessagingBinding.ProxyAddress": "+15017122661",
        }
        await setup.instance.do("CreateConversationParticipant", pair, ConversationSid=setup.sid)
        setup.answers(respond_with(200, json.dumps({"body": "x" * 1601})))
        message = await setup.send_message()
        await setup.instance.wait_until_idle()
        sql = "SELECT error_code FROM receipt WHERE account_sid = $1 AND message_sid = $2"
        key = (message.account_sid, message.sid)
        assert await setup.instance.store.read(lambda tx: tx.all(sql, *key)) == [(21617,)]

    run_scenario(scenario)


# --- Events that can only be rejected -------------------------------------------------------

EVERYTHING = json.dumps(
    {
        "body": "x",
        "author": "x",
        "attributes": {"x": 1},
        "friendly_name": "x",
        "identity": "x",
        "role_sid": "RL" + "0" * 32,
        "last_read_message_index": 0,
        "Attributes": "{}",
        "messaging_binding": {"proxy_address": "+15017122669"},
    }
)
ONLY_REJECTABLE: dict[str, tuple[str, dict[str, str]]] = {
    "onParticipantAdd": ("CreateConversationParticipant", {"Identity": "new"}),
    "onParticipantUpdate": ("UpdateConversationParticipant", {"Attributes": '{"p":2}'}),
    "onParticipantRemove": ("DeleteConversationParticipant", {}),
    "onMessageRemove": ("DeleteConversationMessage", {}),
    "onConversationRemove": ("DeleteConversation", {}),
    "onUserUpdate": ("UpdateUser", {"FriendlyName": "Bob"}),
}


async def act(setup: PreActionSetup, event: str) -> Any:
    """Return the action with this pre-action event, with the objects that it needs."""
    operation_id, form = ONLY_REJECTABLE[event]
    here = {"ConversationSid": setup.sid}
    if event.startswith("onMessage"):
        here["Sid"] = (await setup.rows())["messages"][0].sid
    elif event == "onConversationRemove":
        here = {"Sid": setup.sid}
    elif event == "onUserUpdate":
        here = {"Sid": "bob"}
    elif event != "onParticipantAdd":
        here["Sid"] = "bob"
    given: Any = {"origin": WITH_HEADER, **here}
    return await setup.instance.do(operation_id, form, **given)


async def furnish(setup: PreActionSetup) -> None:
    """Add bob, and a message of his."""
    bob: Any = {"Identity": "bob", "Attributes": '{"p":1}'}
    await setup.instance.do("CreateConversationParticipant", bob, ConversationSid=setup.sid)
    await setup.instance.send_message(setup.sid, "hello", Author="bob")


@pytest.mark.parametrize("event", ONLY_REJECTABLE)
@pytest.mark.parametrize("status", [403, 500])
def test_a_rejection_leaves_everything_byte_for_byte(
    run_scenario: ScenarioRunner, event: str, status: int
) -> None:
    async def scenario(setup: PreActionSetup) -> None:
        await furnish(setup)
        setup.answers(respond_with(status, EVERYTHING))
        before = await everything(setup)
        assert await refusal(act(setup, event)) == (403, 50056)
        assert setup.pre_action_events == [event]
        await setup.instance.wait_until_idle()
        assert await everything(setup) == before
        assert setup.backend.requests_to("/post") == []

    run_scenario(scenario)


TABLES = ("conversation", "participant", "message", "chat_user", "event", "receipt")


async def everything(setup: PreActionSetup) -> dict[str, list[Any]]:
    """Return every row that an action could change."""

    async def rows(table: str, tx: Transaction) -> list[Any]:
        return await tx.all(f"SELECT * FROM {table} LIMIT 1000")

    return {table: await setup.instance.store.read(partial(rows, table)) for table in TABLES}


@pytest.mark.parametrize("event", ONLY_REJECTABLE)
def test_members_of_the_response_change_nothing_there(tmp_path: Path, event: str) -> None:
    """Run an action on two servers, one of which gets a response with every possible member."""

    async def outcome(backend: WebhookBackend, name: str, given: Responder) -> Any:
        backend.requests.clear()
        async with InProcessServer(tmp_path / name) as instance:
            setup = PreActionSetup(instance, backend)
            setup.sid = (await instance.do("CreateConversation")).sid
            await furnish(setup)
            await setup.listen()
            setup.answers(given)
            await act(setup, event)
            assert setup.pre_action_events == [event]
            await instance.wait_until_idle()
            await poll_until(lambda: instance.store.read(_nothing_to_purge))
            (request,) = backend.requests_to("/post", event_after(event))
            return without_chance(await everything(setup)), set(request.values.items())

    async def compare() -> Any:
        async with WebhookBackend() as backend:
            plain = await outcome(backend, "plain", respond_with(200))
            return plain, await outcome(backend, "answered", respond_with(200, EVERYTHING))

    (plain, plain_parameters), (answered, request) = asyncio.run(compare())
    assert answered == plain
    changing = ("Sid", "Date", "StateUpdated")
    same = {pair for pair in request if not any(word in pair[0] for word in changing)}
    assert same <= plain_parameters


async def _nothing_to_purge(tx: Transaction) -> bool:
    return await tx.one("SELECT 1 FROM purge LIMIT 1") is None


def event_after(event: str) -> str:
    return event + ("d" if event.endswith("e") else "ed")


def without_chance(tables: dict[str, list[Any]]) -> dict[str, Any]:
    """Return rows without sids, dates and sequence numbers, which differ between servers."""
    return {
        table: [
            [
                value
                for value in row
                if not (isinstance(value, int) and value > 1_000_000)
                and not (isinstance(value, str) and (len(value) == 34 or '"sid"' in value))
            ]
            for row in rows
        ]
        for table, rows in tables.items()
    }
