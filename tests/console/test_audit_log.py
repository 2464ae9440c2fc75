"""The audit log of changes through the console, dedicated endpoints included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parlour.operations.caller import ADMIN, SUPPORT
from parlour.resources.table import operations
from tests.console.console_page import ConsolePage, api_of, run_scene, signed_in
from tests.console.test_session_ends import open_stream
from tests.console.test_sign_in import OPERATOR_SID, SECRET, make_operator
from tests.events.in_process_server import ACCOUNT_SID, poll_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer

PHONES = "/parlour/v1/VirtualPhones"
PHONE = "+15550100"


async def operator_page(instance: InProcessServer, role: str) -> ConsolePage:
    """Return the page of an operator."""
    await make_operator(instance, role)
    page = ConsolePage(instance.app)
    await page.sign_in(Name=OPERATOR_SID, Secret=SECRET)
    return page


async def lines_of(page: ConsolePage) -> list[tuple[str, str | None, str | None]]:
    """Return operation, subject and account of each line, newest first."""
    found = await page.call("GET", "/parlour/v1/Operator/Audit", account_sid="-")
    return [
        (each["operation"], each["subject_sid"], each["account_sid"])
        for each in found.expect(200)["audit"]
    ]


def test_uploads_phones_and_opened_conversations_are_recorded(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page, api = await operator_page(instance, ADMIN), api_of(instance)
        made = (await api.post("/v1/Conversations", {})).expect(201)
        (await api.post(PHONES, {"Address": PHONE})).expect(201)
        assert await lines_of(page) == []
        service = made["chat_service_sid"]
        upload = await page.call("POST", f"/v1/Services/{service}/Media", {"x": "y"})
        send = {"To": "+15550999", "Body": "hello"}
        sent = await page.call("POST", f"{PHONES}/%2B15550100/Messages", send)
        (await page.call("GET", f"/v1/Conversations/{made['sid']}")).expect(200)
        assert sent.status < 300, sent
        lines = await lines_of(page)
        assert [each[0] for each in lines] == [
            "FetchConversation",
            "CreateVirtualPhoneMessage",
            "CreateMedia",
        ]
        assert [each[1] for each in lines] == [made["sid"], PHONE, upload.expect(201)["sid"]]
        assert {each[2] for each in lines} == {ACCOUNT_SID}
        assert "hello" not in str(lines)

    run_scene(tmp_path / "data", scene)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/Services/{service}/Media"), ("POST", f"{PHONES}/%2B15550100/Messages")],
)
def test_a_role_without_changes_leaves_no_line(tmp_path: Path, method: str, path: str) -> None:
    async def scene(instance: InProcessServer) -> None:
        page, api = await operator_page(instance, SUPPORT), api_of(instance)
        made = (await api.post("/v1/Conversations", {})).expect(201)
        (await api.post(PHONES, {"Address": PHONE})).expect(201)
        filled = path.replace("{service}", made["chat_service_sid"])
        assert (await page.call(method, filled, {"x": "y"})).status == 403
        assert await lines_of(page) == []

    run_scene(tmp_path / "data", scene)


def test_an_operator_sees_and_ends_the_session_of_an_account(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page, theirs = await operator_page(instance, ADMIN), await signed_in(instance.app)
        (await theirs.call("POST", "/v1/Conversations", {})).expect(201)
        path = "/parlour/v1/Operator/Sessions"
        listed = (await page.call("GET", path, account_sid="-")).expect(200)["sessions"]
        of_account = [each for each in listed if each["account_sid"] == ACCOUNT_SID]
        assert [each["principal"]["name"] for each in of_account] == [ACCOUNT_SID]
        assert [each["operator_name"] for each in listed if not each["account_sid"]] == ["eve"]
        sid = of_account[0]["sid"]
        assert (await page.call("DELETE", f"{path}/{sid}", account_sid="-")).status == 204
        assert (await theirs.call("GET", "/v1/Conversations")).status == 401
        lines = await lines_of(page)
        assert lines[0][:2] == ("DeleteOperatorSession", sid)
        for account_sid, status in ((ACCOUNT_SID, 404), ("-", 200)):
            assert (await page.call("GET", path, account_sid=account_sid)).status == status
        assert (await page.call("GET", "/v1/Conversations", account_sid="-")).status == 404

    run_scene(tmp_path / "data", scene)


def test_changes_of_an_account_by_an_operator_name_the_account(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await operator_page(instance, ADMIN)
        path = f"/parlour/v1/Operator/Accounts/{ACCOUNT_SID}"
        made = await page.call("POST", f"{path}/Keys", {}, account_sid="-")
        key_sid = made.expect(201)["sid"]
        named = await page.call("POST", path, {"FriendlyName": "shop"}, account_sid="-")
        named.expect(200)
        opened = await page.call("POST", "/parlour/v1/Operator/Accounts", {}, account_sid="-")
        account_sid = opened.expect(201)["sid"]
        assert await lines_of(page) == [
            ("CreateOperatorAccount", account_sid, account_sid),
            ("UpdateOperatorAccount", ACCOUNT_SID, ACCOUNT_SID),
            ("CreateOperatorAccountKey", key_sid, ACCOUNT_SID),
        ]

    run_scene(tmp_path / "data", scene)


def test_messages_that_an_operator_reads_alone_are_recorded(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page, api = await operator_page(instance, SUPPORT), api_of(instance)
        theirs = await signed_in(instance.app)
        made = (await api.post("/v1/Conversations", {"UniqueName": "order"})).expect(201)
        path = f"/v1/Conversations/{made['sid']}/Messages"
        for _ in range(2):
            (await api.post(path, {"Body": "hello"})).expect(201)
        (await theirs.call("GET", path)).expect(200)
        assert await lines_of(page) == []
        first = (await page.call("GET", f"{path}?PageSize=1")).expect(200)
        query = first["meta"]["next_page_url"].partition("?")[2]
        (await page.call("GET", f"{path}?{query}")).expect(200)
        line = ("ListConversationMessage", made["sid"], ACCOUNT_SID)
        assert await lines_of(page) == [line]
        (await page.call("GET", "/v1/Conversations/order/Messages")).expect(200)
        assert await lines_of(page) == [("ListConversationMessage", "order", ACCOUNT_SID), line]

    run_scene(tmp_path / "data", scene)


RECORDED = {
    "FetchConversation",
    "ListConversationMessage",
    "FetchConversationMessage",
    "FetchConversationMessageChannelMetadata",
    "ListEvent",
    "ListWebhookAttempt",
    "FetchWebhookAttempt",
    "FetchMedia",
    "FetchMediaContent",
    "ListVirtualPhoneMessage",
    "FetchVirtualPhoneMedium",
    "CreateWebhookSignature",
}
"""Reads of what users wrote."""


def test_the_reads_that_are_recorded() -> None:
    recorded = {each.operation_id for each in operations() if each.spec.is_recorded_read}
    assert {each.replace("Service", "") for each in recorded} == RECORDED


def test_reads_of_single_objects_are_recorded_once(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page, api = await operator_page(instance, SUPPORT), api_of(instance)
        theirs = await signed_in(instance.app)
        made = (await api.post("/v1/Conversations", {})).expect(201)
        messages = f"/v1/Conversations/{made['sid']}/Messages"
        message = (await api.post(messages, {"Body": "hello"})).expect(201)["sid"]
        media = f"/v1/Services/{made['chat_service_sid']}/Media"
        medium = (await theirs.call("POST", media, {"x": "y"})).expect(201)["sid"]
        (await api.post(PHONES, {"Address": PHONE})).expect(201)
        reads = [
            ("FetchConversationMessage", f"{messages}/{message}", message),
            ("FetchMedia", f"{media}/{medium}", medium),
            ("FetchMediaContent", f"{media}/{medium}/Content", medium),
            ("ListEvent", "/parlour/v1/Events", None),
            ("ListWebhookAttempt", "/parlour/v1/WebhookAttempts", None),
            ("ListVirtualPhoneMessage", f"{PHONES}/%2B15550100/Messages", PHONE),
        ]
        wanted = await lines_of(page)
        assert [each[0] for each in wanted] == ["CreateMedia"]
        for name, path, subject in reads:
            wanted.insert(0, (name, subject, ACCOUNT_SID))
            # The account itself, and an object that does not exist.
            assert (await theirs.call("GET", path)).status == 200
            if subject in {message, medium}:
                missing = path.replace(subject or "", f"{(subject or '')[:2]}{'9' * 32}")
                assert (await page.call("GET", missing)).status == 404
            for _ in range(3):
                assert (await page.call("GET", path)).status == 200, name
            assert await lines_of(page) == wanted
        # Another session of the operator.
        again = ConsolePage(instance.app)
        await again.sign_in(Name=OPERATOR_SID, Secret=SECRET)
        (await again.call("GET", f"{messages}/{message}")).expect(200)
        assert len(await lines_of(page)) == len(wanted) + 1

    run_scene(tmp_path / "data", scene)


def test_a_stream_of_events_is_recorded(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page, theirs = await operator_page(instance, SUPPORT), await signed_in(instance.app)
        wanted = [("ListEvent", None, ACCOUNT_SID)]
        streams = [await open_stream(instance, page)]

        async def is_recorded() -> bool:
            # A stream is open before its line is committed.
            return await lines_of(page) == wanted

        await poll_until(is_recorded)
        streams += [await open_stream(instance, each) for each in (theirs, page)]
        instance.app.waiting_lists.stop()
        for each in streams:
            assert (await each).status == 200
        assert await lines_of(page) == wanted

    run_scene(tmp_path / "data", scene)
