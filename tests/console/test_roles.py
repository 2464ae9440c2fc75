"""Roles: who may change, and what sessions without bodies see."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from parlour.console import visibility
from parlour.operations.caller import ADMIN, SUPPORT, VIEW
from parlour.operations.operation import AuthScheme
from parlour.resources.table import operations
from parlour.testmode.table import declared_operations
from tests.console.console_page import ROOT, SESSION, ConsolePage, api_of, run_scene, signed_in
from tests.console.test_sign_in import OPERATOR_SID, SECRET, make_operator
from tests.events.in_process_server import ACCOUNT_SID, poll_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer

HIDDEN_TEXT = "the secret of this test"
PHONE = "+15550100"
GATED = {AuthScheme.ACCOUNT_LOGIN, AuthScheme.CLIENT, AuthScheme.ACCOUNT_TRANSFER}


async def operator_of(instance: InProcessServer, role: str) -> ConsolePage:
    """Return the page of an operator."""
    await make_operator(instance, role)
    page = ConsolePage(instance.app)
    await page.sign_in(Name=OPERATOR_SID, Secret=SECRET)
    return page


async def fill(instance: InProcessServer) -> tuple[str, str]:
    """Write the text everywhere; return the SIDs of a conversation and its service."""
    api, text = api_of(instance), HIDDEN_TEXT
    attributes = json.dumps({"text": text})
    made = (await api.post("/v1/Conversations", {"Attributes": attributes})).expect(201)
    path = f"/v1/Conversations/{made['sid']}"
    someone = {"Identity": "alice", "Attributes": attributes}
    (await api.post(f"{path}/Participants", someone)).expect(201)
    message = {"Author": "alice", "Body": text, "Attributes": attributes}
    (await api.post(f"{path}/Messages", message)).expect(201)
    (await api.post("/v1/Users/alice", {"Attributes": attributes})).expect(200)
    phones = "/parlour/v1/VirtualPhones"
    (await api.post(phones, {"Address": PHONE, "Name": "phone"})).expect(201)
    sent = {"To": "+15550999", "Body": text}
    (await api.post(f"{phones}/%2B15550100/Messages", sent)).expect(201)
    return made["sid"], made["chat_service_sid"]


def test_each_operation_is_shown_or_hidden() -> None:
    every = [*operations(), *declared_operations()]
    gated = {each.operation_id for each in every if each.authentication in GATED}
    assert gated >= visibility.HIDDEN
    assert not visibility.HIDDEN & visibility.SHOWN
    assert gated - visibility.SHOWN - visibility.HIDDEN == set()
    # An operation that is not listed is denied.
    with pytest.raises(Exception, match="shows no bodies"):
        visibility.check("FetchSomethingNew")


def test_only_admins_change(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        sid, service = await fill(instance)
        await make_operator(instance, SUPPORT)
        page = ConsolePage(instance.app)
        await page.sign_in(Name=OPERATOR_SID, Secret=SECRET)
        assert (await page.send("GET", SESSION)).json()["may_change"] is False
        before = (await api_of(instance).get(f"/v1/Conversations/{sid}")).json()
        skipped = 0
        for each in (*operations(), *declared_operations()):
            path = each.path.replace("{ChatServiceSid}", service).replace(
                "{AccountSid}", ACCOUNT_SID
            )
            path = path.replace("{ConversationSid}", sid).replace("{Sid}", sid)
            if each.method == "GET" or each.authentication not in GATED:
                skipped += 1
                continue
            form = {} if each.method == "POST" else None
            account_sid = "-" if each.for_operators else ACCOUNT_SID
            refused = await page.call(each.method, path, form, account_sid=account_sid)
            assert refused.status == 403, (each.operation_id, refused)
        assert skipped < len(operations())
        assert (await api_of(instance).get(f"/v1/Conversations/{sid}")).json() == before

    run_scene(tmp_path / "data", scene)


def paths_of(sid: str, service: str) -> list[str]:
    """Return the lists and objects in which the text is."""
    return [
        "/v1/Conversations",
        f"/v1/Conversations/{sid}",
        f"/v1/Services/{service}/Conversations/{sid}/Messages",
        f"/v1/Conversations/{sid}/Messages?Order=desc",
        f"/v1/Conversations/{sid}/Participants",
        "/v1/Users/alice",
        "/v1/ParticipantConversations?Identity=alice",
        "/v1/Users/alice/Conversations",
        "/parlour/v1/ConversationSummaries",
        "/parlour/v1/Events",
        "/parlour/v1/Requests",
        "/parlour/v1/VirtualPhones/%2B15550100/Messages",
    ]


@pytest.mark.parametrize(
    ("role", "settings", "is_hidden"),
    [
        (VIEW, {}, True),
        (SUPPORT, {}, False),
        (ADMIN, {}, False),
        (SUPPORT, {"console_bodies": False}, True),
        (ADMIN, {"console_bodies": False}, True),
    ],
)
def test_bodies_are_hidden_from_some_operators(
    tmp_path: Path, role: str, settings: dict[str, Any], *, is_hidden: bool
) -> None:
    async def scene(instance: InProcessServer) -> None:
        sid, service = await fill(instance)
        page = await operator_of(instance, role)
        assert (await page.send("GET", SESSION)).json()["shows_bodies"] is not is_hidden
        for path in paths_of(sid, service):
            found = (await page.call("GET", path)).expect(200)
            has_text = HIDDEN_TEXT in json.dumps(found)
            assert has_text is not is_hidden, path
        medium = f"/v1/Services/{service}/Media/ME{'0' * 32}"
        for path in (medium, f"{medium}/Content"):
            assert (await page.call("GET", path)).status == (403 if is_hidden else 404)
        # The account itself sees its own.
        own = await signed_in(instance.app)
        assert (
            HIDDEN_TEXT
            in (await own.call("GET", f"/v1/Conversations/{sid}/Messages")).body.decode()
        )

    run_scene(tmp_path / "data", scene, test=True, **settings)


def test_descriptions_of_the_api_are_whole(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page, path = await operator_of(instance, VIEW), "/parlour/v1/OpenApi"
        shown = (await page.call("GET", path)).expect(200)
        assert shown == (await api_of(instance).get(path)).expect(200)

    run_scene(tmp_path / "data", scene)


def test_members_without_bodies_stay(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        sid, _ = await fill(instance)
        page = await operator_of(instance, VIEW)
        path = f"/v1/Conversations/{sid}/Messages"
        shown = (await page.call("GET", path)).expect(200)["messages"][0]
        whole = (await api_of(instance).get(path)).expect(200)["messages"][0]
        assert shown == whole | {"body": None, "attributes": None, "media": None}

    run_scene(tmp_path / "data", scene)


def test_the_event_stream_hides_bodies(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        # All events are there before the streams begin, so both have the same.
        await fill(instance)
        page, lists = await operator_of(instance, VIEW), instance.app.waiting_lists
        own = await signed_in(instance.app)
        accepts: dict[bytes, bytes | None] = {b"accept": b"text/event-stream"}
        streams = [
            asyncio.create_task(each.call("GET", "/parlour/v1/Events?After=start", headers=accepts))
            for each in (page, own)
        ]

        async def are_idle() -> bool:
            waits = lists._every_wait()
            return len(waits) == 2 and all(each._waiter is not None for each in waits)

        await poll_until(are_idle)
        lists.stop()
        hidden, shown = [(await each).body.decode() for each in streams]
        assert HIDDEN_TEXT in shown
        assert HIDDEN_TEXT not in hidden
        assert hidden.count("onMessageAdded") == shown.count('"event_type":"onMessageAdded"')
        assert hidden.count("\ndata: ") == shown.count("\ndata: ") > 0

    run_scene(tmp_path / "data", scene)


def test_secrets_are_hidden_from_admins_without_bodies(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await operator_of(instance, ADMIN)
        keys = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Keys.json"
        (await page.call("POST", keys, {})).refuses(403, 20403)
        (await page.call("POST", "/parlour/v1/Tokens", {"Identity": "eve"})).refuses(403, 20403)
        assert (await page.call("GET", keys)).expect(200)["keys"] == []
        made = (await page.call("POST", "/v1/Conversations", {"Attributes": "{}"})).expect(201)
        assert made["attributes"] is None

    run_scene(tmp_path / "data", scene, console_bodies=False)


def test_changes_through_the_console_are_in_the_journal_of_requests(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        (await page.call("POST", "/v1/Conversations", {"FriendlyName": "x"})).expect(201)
        (await page.call("GET", "/v1/Conversations")).expect(200)
        (await api_of(instance).get("/v1/Users")).expect(200)
        path = "/parlour/v1/Requests"
        every = (await page.call("GET", path)).expect(200)["requests"]
        assert [(each["source"], each["operation"]) for each in every] == [
            ("rest", "ListUser"),
            ("console", "CreateConversation"),
        ]
        assert every[1]["form"] == {"FriendlyName": "x"}
        assert every[1]["path"] == "/v1/Conversations"
        only = (await api_of(instance).get(path, Source="console")).expect(200)["requests"]
        assert only == every[1:]

    run_scene(tmp_path / "data", scene, test=True)


def test_a_fault_is_not_used_up_by_the_console(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        fault = {"Target": "request", "Operation": "ListUser", "Status": "503", "Times": "1"}
        (await page.call("POST", "/parlour/v1/Faults", fault)).expect(201)
        (await page.call("GET", "/v1/Users")).expect(200)
        assert (await api_of(instance).get("/v1/Users")).status == 503
        assert (await api_of(instance).get("/v1/Users")).status == 200

    run_scene(tmp_path / "data", scene, test=True)


def test_the_log_has_no_values_of_console_paths(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        await page.call("GET", "/v1/Users/a-secret-name")
        await page.send("GET", f"{ROOT}/a-secret-name")

    run_scene(tmp_path / "data", scene, request_log="all")
    logged = capsys.readouterr().out
    assert "/parlour/console/api/v1/Users/{Sid}" in logged
    assert "a-secret-name" not in logged
