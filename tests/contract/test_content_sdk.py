"""Content templates and their approval, managed by the unmodified SDKs of both languages."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.rest.content.v1.content import ContentList
from twilio.rest.content.v1.content.approval_create import ApprovalCreateList

from tests.contract import test_every_operation_npm as by_node
from tests.support.client import Api
from tests.support.nodejs import node_command
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

# It runs Node.js, like others; one process should do it.
pytestmark = pytest.mark.xdist_group("npm-client")

installed_node_packages = by_node.installed_node_packages

TEXT = "Hello {{1}}, your table for {{2}} is ready."


@pytest.fixture
def account(server: Server) -> tuple[str, str]:
    return server.make_account()


@pytest.fixture
def client(server: Server, account: tuple[str, str]) -> Client:
    """The PyPI client, with nothing changed but the base URL."""
    return _client(server, account)


@pytest.fixture(scope="module")
def careful_server() -> Iterator[Server]:
    """A server on which templates are approved by hand."""
    with Server(env={"PARLOUR_TEMPLATE_APPROVAL": "manual"}) as running:
        yield running


def _client(server: Server, account: tuple[str, str]) -> Client:
    made = Client(*account)
    made.content.base_url = server.base_url
    made.conversations.base_url = server.base_url
    return made


def request_of(**members: Any) -> Any:
    """Return the model that programs give to ``contents.create``."""
    given = {"friendly_name": "table", "language": "en", "variables": {"1": "Ada", "2": "4"}}
    types = {"twilio/text": {"body": TEXT}}
    return ContentList.ContentCreateRequest({**given, "types": types, **members})


def approval_of(name: str = "table_ready", category: str = "UTILITY") -> Any:
    return ApprovalCreateList.ContentApprovalRequest({"name": name, "category": category})


def test_contents_are_created_fetched_listed_and_deleted(client: Client) -> None:
    contents = client.content.v1.contents
    made = contents.create(request_of())
    assert made.friendly_name == "table"
    assert made.language == "en"
    assert made.variables == {"1": "Ada", "2": "4"}
    assert made.types == {"twilio/text": {"body": TEXT}}
    assert made.links == {
        "approval_create": f"{made.url}/ApprovalRequests/whatsapp",
        "approval_fetch": f"{made.url}/ApprovalRequests",
    }
    assert made.date_created is not None
    fetched = contents(made.sid).fetch()
    assert (fetched.sid, fetched.types, fetched.url) == (made.sid, made.types, made.url)
    other = contents.create(request_of(friendly_name="second", language="pt_BR"))
    assert {each.sid for each in contents.list(page_size=1)} == {made.sid, other.sid}
    assert contents(made.sid).delete()
    assert [each.sid for each in contents.list()] == [other.sid]
    with pytest.raises(TwilioRestException) as refused:
        contents(made.sid).fetch()
    assert (refused.value.status, refused.value.code) == (404, 20404)


def test_members_that_are_null_count_as_absent(
    server: Server, account: tuple[str, str], client: Client
) -> None:
    reply = {"body": "Tea?", "actions": [{"title": "Yes", "id": "y"}]}
    # As some versions of the SDK send a model.
    sent = {
        "twilio/text": None,
        "twilio/quick-reply": {**reply, "actions": [{"title": "Yes", "id": "y", "type": None}]},
        "twilio/card": None,
    }
    given = {"friendly_name": None, "language": "en", "variables": None, "types": sent}
    assert _posted(server, account, json.dumps(given).encode()) == (201, None)
    (made,) = client.content.v1.contents.list()
    assert made.types == {"twilio/quick-reply": reply}
    assert made.variables == {}
    assert made.friendly_name == ""


def test_a_type_that_clients_do_not_display_is_stored_and_its_text_is_sent(client: Client) -> None:
    card = {"body": "Sale for {{1}}", "actions": [{"type": "QUICK_REPLY", "title": "Buy"}]}
    made = client.content.v1.contents.create(request_of(types={"whatsapp/card": card}))
    assert made.types == {"whatsapp/card": card}
    conversation = client.conversations.v1.conversations.create()
    message = conversation.messages.create(
        content_sid=made.sid, content_variables=json.dumps({"1": "Ada"})
    )
    assert message.body == "Sale for Ada"
    assert message.content_sid == made.sid


@pytest.mark.promise(
    "how-to/content-templates.md", "request for a pending or approved template is refused with 409"
)
def test_an_approval_is_received_and_then_approved_by_the_setting(client: Client) -> None:
    made = client.content.v1.contents.create(request_of())
    content = client.content.v1.contents(made.sid)
    before = content.approval_fetch().fetch()
    assert before.whatsapp["status"] == "unsubmitted"
    requested = content.approval_create.create(approval_of())
    assert (requested.name, requested.category) == ("table_ready", "UTILITY")
    assert (requested.status, requested.content_type) == ("received", "twilio/text")
    after = content.approval_fetch().fetch()
    assert after.sid == made.sid
    assert after.url == made.links["approval_fetch"]
    assert after.whatsapp == {
        "type": "whatsapp",
        "name": "table_ready",
        "category": "UTILITY",
        "content_type": "twilio/text",
        "status": "approved",
        "rejection_reason": "",
        "allow_category_change": True,
    }
    (both,) = client.content.v1.content_and_approvals.list()
    assert both.sid == made.sid
    assert both.approval_requests["status"] == "approved"
    with pytest.raises(TwilioRestException) as refused:
        content.approval_create.create(approval_of("another_name"))
    assert refused.value.status == 409


def test_an_approval_by_hand_is_pending_until_it_is_decided(careful_server: Server) -> None:
    account = careful_server.make_account()
    client = _client(careful_server, account)
    made = client.content.v1.contents.create(request_of())
    content = client.content.v1.contents(made.sid)
    own = Api(careful_server.base_url, *account).under("/parlour/v1")
    path = f"/ContentTemplates/{made.sid}"
    own.post(path, ApprovalStatus="approved").refuses(400, 20001)
    assert content.approval_create.create(approval_of()).status == "received"
    assert content.approval_fetch().fetch().whatsapp["status"] == "pending"
    with pytest.raises(TwilioRestException, match="requested already"):
        content.approval_create.create(approval_of("another_name"))
    rejected = own.post(path, ApprovalStatus="rejected", RejectionReason="Too pushy").expect(200)
    assert rejected["approval"]["rejection_reason"] == "Too pushy"
    shown = content.approval_fetch().fetch().whatsapp
    assert (shown["status"], shown["rejection_reason"]) == ("rejected", "Too pushy")
    content.approval_create.create(approval_of("table_again"))
    shown = content.approval_fetch().fetch().whatsapp
    assert (shown["status"], shown["rejection_reason"]) == ("pending", "")
    own.post(path, ApprovalStatus="approved", RejectionReason="None").expect(200)
    shown = content.approval_fetch().fetch().whatsapp
    assert (shown["name"], shown["status"]) == ("table_again", "approved")
    assert shown["rejection_reason"] == ""
    own.post(path, ApprovalStatus="maybe").refuses(400, 20001)
    own.close()


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"types": None}, 20001),
        ({"types": {}}, 20001),
        ({"types": {"acme/thing": {"body": "x"}}}, 50542),
        ({"types": {"twilio/text": "x"}}, 20001),
        ({"types": {"twilio/quick-reply": {"body": "x", "actions": 1}}}, 20001),
        ({"language": None}, 20001),
        ({"language": "english please"}, 20001),
        ({"friendly_name": "x" * 257}, 20001),
        ({"variables": {"n" * 17: "x"}}, 50540),
        ({"variables": {"1": "x" * 257}}, 50541),
        ({"variables": {str(number): "x" for number in range(101)}}, 50529),
        ({"variables": {"1": {"deep": "er"}}}, 50527),
        ({"types": {"twilio/text": {"body": "a\0b"}}}, 20001),
    ],
)
def test_an_invalid_content_is_refused_and_nothing_is_stored(
    server: Server, account: tuple[str, str], members: dict[str, Any], code: int
) -> None:
    given = {"friendly_name": "a", "language": "en", "types": {"twilio/text": {"body": "x"}}}
    assert _posted(server, account, json.dumps(given | members).encode()) == (400, code)
    assert _client(server, account).content.v1.contents.list() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"{",
        b'{"language": "en"',
        b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"\xff",
        json.dumps({str(number): number for number in range(1001)}).encode(),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    server: Server, account: tuple[str, str], body: bytes
) -> None:
    assert _posted(server, account, body) == (400, 20001)


def _posted(server: Server, account: tuple[str, str], body: bytes) -> tuple[int, int | None]:
    """Return status and code of the response to a JSON body for a new content."""
    api = Api(server.base_url, *account)
    headers = {"Content-Type": "application/json"}
    response = api.request("POST", "/Content", body=body, headers=headers)
    api.close()
    return response.status, response.code


def test_the_npm_client_manages_the_same_templates(
    server: Server, account: tuple[str, str], client: Client, installed_node_packages: None
) -> None:
    settings = {"BASE_URL": server.base_url, "ACCOUNT_SID": account[0], "AUTH_TOKEN": account[1]}
    done = subprocess.run(
        [*node_command(), "content_templates.mjs"],
        cwd=by_node.HERE,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=by_node.DRIVE_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    (left,) = client.content.v1.contents.list()
    assert seen == {
        "created": {"friendlyName": "table", "language": "en", "variables": {"1": "Ada", "2": "4"}},
        "types": {"twilio/text": {"body": TEXT}},
        "listed": 2,
        "removed": True,
        "statuses": ["unsubmitted", "received", "approved"],
        "both": [["approved", left.sid]],
        "left": left.sid,
    }
