"""Operators over HTTP Basic: what they may call, where they are refused, and the audit log."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from parlour.resources.table import operations
from tests.support.client import Api, ApiResponse
from tests.support.operators import make_operator
from tests.support.polling import eventually
from tests.support.server import ServerError
from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.operators import OperatorLogin
    from tests.support.server import Server

ROOT = "/parlour/v1/Operator"
VOLATILE = {"date", "twilio-request-id", "twilio-request-duration"}


@pytest.fixture(scope="module")
def admin(server: Server) -> OperatorLogin:
    """An operator that may change."""
    return make_operator(server, f"admin {secrets.token_hex(4)}")


@pytest.fixture
def admin_api(server: Server, admin: OperatorLogin) -> Iterator[Api]:
    """Requests of this operator."""
    with closing(admin.api(server)) as client:
        yield client


def shown(answer: ApiResponse) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return a response without the parts that differ from request to request."""
    headers = ((name.lower(), value) for name, value in answer.headers.items())
    return answer.status, sorted(each for each in headers if each[0] not in VOLATILE), answer.body


def insert_session(server: Server, account_sid: str, name: str) -> str:
    """Insert a live session of the console; return its SID."""
    now_ms, sid = int(time.time() * 1000), f"CS{secrets.token_hex(16)}"
    row = {
        "sid": sid,
        "token_digest": secrets.token_hex(32),
        "kind": "account" if account_sid else "operator",
        "principal_name": name,
        "role": "admin",
        "account_sid": account_sid,
        "made": now_ms,
        "last_used": now_ms,
        "ends": now_ms + 60_000,
    }
    names, places = ", ".join(row), ", ".join(f":{each}" for each in row)
    with closing(connect(server)) as connection, connection:
        connection.execute(f"INSERT INTO console_session ({names}) VALUES ({places})", row)
    return sid


def session_sids(api: Api) -> set[str]:
    """Return the SIDs of all listed sessions."""
    return {
        each["sid"] for each in api.get(f"{ROOT}/Sessions?PageSize=1000").expect(200)["sessions"]
    }


FOR_OPERATORS = [
    (each.method, each.path.replace("{Sid}", "CS" + "0" * 32))
    for each in operations()
    if each.for_operators
]


@pytest.mark.parametrize(("method", "path"), FOR_OPERATORS)
def test_operations_for_operators_do_not_exist_for_accounts(
    server: Server, api: Api, method: str, path: str
) -> None:
    refused = api.request(method, path)
    unknown = api.request(method, f"{path}x")
    assert refused.refuses(404, 20404)["message"] == unknown.json["message"].replace("x ", " ")
    for login in ((None, None), (server.account_sid, "x"), ("OP" + "0" * 32, "x")):
        with closing(Api(server.base_url, *login)) as client:
            client.request(method, path).refuses(401, 20003)


def test_another_method_of_a_path_for_operators_is_not_found_for_accounts(
    api: Api, admin_api: Api
) -> None:
    api.post(f"{ROOT}/Audit").refuses(404, 20404)
    admin_api.post(f"{ROOT}/Audit").refuses(405, 20004)


ELSEWHERE = [
    ("GET", "/v1/Conversations"),
    ("POST", "/v1/Conversations"),
    ("PUT", "/v1/Conversations"),
    ("DELETE", "/v1/Conversations/none"),
    ("GET", "/v1/no-such-thing"),
    ("GET", "/"),
    ("GET", "/2010-04-01/Accounts/none.json"),
    ("GET", "/parlour/v1/Server"),
    ("GET", "/parlour/v1/Events"),
    ("GET", "/parlour/v1/Requests"),
    ("GET", f"/v1/Services/IS{'0' * 32}/Media/ME{'0' * 32}"),
    ("POST", f"/v1/Services/IS{'0' * 32}/Media"),
    ("POST", f"/v1/Services/IS{'0' * 32}/MediaSet"),
    ("POST", "/parlour/v1/VirtualPhones/%2B15550100/Messages"),
    ("GET", f"/parlour/v1/VirtualPhones/%2B15550100/Media/ME{'0' * 32}"),
]


@pytest.mark.parametrize(("method", "path"), ELSEWHERE)
def test_an_operator_key_is_a_wrong_login_everywhere_else(
    server: Server, admin: OperatorLogin, method: str, path: str
) -> None:
    with (
        closing(admin.api(server)) as right,
        closing(Api(server.base_url, admin.sid, "x")) as wrong,
    ):
        for _ in range(2):  # The second time from the cache.
            answer = right.request(method, path)
            answer.refuses(401, 20003)
            assert shown(answer) == shown(wrong.request(method, path))


def test_unknown_and_revoked_operators_are_wrong_logins(server: Server) -> None:
    revoked = make_operator(server, "to be revoked")
    with closing(revoked.api(server)) as client:
        client.get(f"{ROOT}/Sessions").expect(200)
        assert revoked.sid in server.command("operator", "revoke", "to be revoked")
        eventually(
            lambda: client.get(f"{ROOT}/Sessions").status, lambda status: status == 401, seconds=5
        )
    with closing(Api(server.base_url, "OP" + "0" * 32, "x")) as unknown:
        unknown.get(f"{ROOT}/Sessions").refuses(401, 20003)


@pytest.mark.parametrize("role", ["view", "support"])
def test_a_role_without_changes_reads_and_cannot_end_sessions(server: Server, role: str) -> None:
    sid = insert_session(server, "", "local")
    with closing(make_operator(server, f"as {role}", role).api(server)) as client:
        assert sid in session_sids(client)
        refused = client.delete(f"{ROOT}/Sessions/{sid}").refuses(403, 20403)
        assert role in refused["message"]
        assert sid in session_sids(client)


def test_an_admin_ends_a_session_and_the_audit_log_names_it(
    server: Server, admin: OperatorLogin, admin_api: Api
) -> None:
    sid = insert_session(server, server.account_sid, server.account_sid)
    listed = admin_api.get(f"{ROOT}/Sessions?PageSize=1000").expect(200)["sessions"]
    found = next(each for each in listed if each["sid"] == sid)
    assert found["account_sid"] == server.account_sid
    assert found["principal"] == {"kind": "account", "name": server.account_sid, "role": "admin"}
    assert found["url"] == f"{admin_api.base_url}{ROOT}/Sessions/{sid}"
    admin_api.delete(f"{ROOT}/Sessions/{sid}").expect(204)
    assert sid not in session_sids(admin_api)
    admin_api.delete(f"{ROOT}/Sessions/{sid}").refuses(404, 20404)
    lines = admin_api.get(f"{ROOT}/Audit", Principal=admin.sid).expect(200)["audit"]
    assert [(each["operation"], each["subject_sid"]) for each in lines] == [
        ("DeleteOperatorSession", sid)
    ]
    line = lines[0]
    assert line["principal"] == {"kind": "operator", "name": admin.sid, "role": "admin"}
    assert line["operator_name"].startswith("admin ")
    assert (line["session_sid"], line["account_sid"]) == (None, None)


def test_the_audit_log_is_paged_newest_first_and_filtered(server: Server) -> None:
    operator = make_operator(server, "auditor")
    with closing(operator.api(server)) as client:
        ended = [insert_session(server, "", "local") for _ in range(3)]
        for sid in ended:
            client.delete(f"{ROOT}/Sessions/{sid}").expect(204)
        path: str | None = f"{ROOT}/Audit?PageSize=2&Principal={operator.sid}"
        found: list[str] = []
        while path is not None:
            page = client.get(path).expect(200)
            found += [each["subject_sid"] for each in page["audit"]]
            path = page["meta"]["next_page_url"]
        assert found == ended[::-1]
        for query, count in (
            ({"Operation": "DeleteOperatorSession"}, 3),
            ({"Operation": "CreateMessage"}, 0),
            ({"AccountSid": server.account_sid}, 0),
            ({"DateAfter": "2020-01-01T00:00:00Z"}, 3),
            ({"DateBefore": "2020-01-01T00:00:00Z"}, 0),
        ):
            page = client.get(f"{ROOT}/Audit", {"Principal": operator.sid, **query}).expect(200)
            assert len(page["audit"]) == count, query
        client.get(f"{ROOT}/Audit", AccountSid="x").refuses(400, 20001)


def test_a_name_is_of_one_operator_until_it_is_revoked(server: Server) -> None:
    first = make_operator(server, "eve")
    with pytest.raises(ServerError, match="there is an operator eve"):
        make_operator(server, "eve")
    server.command("operator", "revoke", first.sid)
    with pytest.raises(ServerError, match="no operator eve"):
        server.command("operator", "revoke", "eve")
    second = make_operator(server, "eve", "view")
    with closing(second.api(server)) as client:
        client.get(f"{ROOT}/Sessions").expect(200)
    rows = [json.loads(each) for each in server.command("operator", "list", "--json").splitlines()]
    of_eve = {each["sid"]: each for each in rows if each["name"] == "eve"}
    assert of_eve[first.sid]["date_revoked"] is not None
    assert of_eve[second.sid]["date_revoked"] is None
    assert of_eve[second.sid]["role"] == "view"
    assert of_eve[second.sid]["last_used"] is not None
    assert of_eve[first.sid]["last_used"] is None
    assert f"{second.sid}  view" in server.command("operator", "list")


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb"])
def test_a_name_that_cannot_be_shown_is_refused(server: Server, name: str) -> None:
    with pytest.raises(ServerError, match="printable"):
        server.command("operator", "create", name)


def test_a_link_of_the_console_has_a_ticket_in_its_fragment(server: Server) -> None:
    url = server.command("console", "--url", "https://chat.example.net/").strip()
    start, _, ticket = url.partition("#ticket=")
    assert start == "https://chat.example.net/parlour/console/"
    assert len(ticket) == 64
    made = json.loads(server.command("console", "--account", server.account_sid, "--json"))
    assert made["seconds"] == 60
    with closing(connect(server)) as connection:
        rows = connection.execute(
            "SELECT kind, principal_name, role, account_sid FROM console_ticket"
        ).fetchall()
        leaks = connection.execute("SELECT digest FROM console_ticket").fetchall()
    assert ("operator", "local", "admin", "") in [tuple(each) for each in rows]
    of_account = ("account", server.account_sid, "admin", server.account_sid)
    assert of_account in [tuple(each) for each in rows]
    assert ticket not in str(leaks)
    with pytest.raises(ServerError, match="there is no account"):
        server.command("console", "--account", "AC" + "0" * 32)
    with pytest.raises(ServerError, match="no URL"):
        server.command("console", "--url", "chat.example.net")
