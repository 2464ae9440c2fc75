"""Helpers of tests of an account's and a service's settings."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.support.client import Api
from tests.support.server_database import columns, connect, tables

if TYPE_CHECKING:
    from tests.support.client import Fields
    from tests.support.server import Server

NOWHERE = {
    "IS": "IS" + "0" * 31 + "1",
    "RL": "RL" + "0" * 31 + "1",
    "CR": "CR" + "0" * 31 + "1",
    "BS": "BS" + "0" * 31 + "1",
    "IG": "IG" + "0" * 31 + "1",
    "AC": "AC" + "0" * 31 + "1",
    "SK": "SK" + "0" * 31 + "1",
}
"""Well-formed sids that were never assigned."""


def new_account_api(server: Server) -> Api:
    """Create an account, so that a test may change settings that others use."""
    return Api(server.base_url, *server.make_account())


def new_service_api(api: Api, name: str = "Of its own") -> Api:
    """Create a service of the account; return a client with the service form of the paths."""
    sid = api.under("/v1").post("/Services", FriendlyName=name).expect(201)["sid"]
    return api.service(sid)


def logged_events(server: Server, account_sid: str) -> list[tuple[str, str]]:
    """Return name and subject of the changes without webhooks of an account's requests, in order.

    Events of timers, such as another test's conversation that closes, are not included.
    """
    with closing(connect(server)) as connection:
        rows = connection.execute(
            "SELECT name, subject_sid, fires FROM event WHERE account_sid = ? ORDER BY sequence",
            (account_sid,),
        ).fetchall()
    return [(name, subject_sid) for name, subject_sid, fires in rows if not fires]


def all_rows_text(server: Server, account_sid: str) -> str:
    """Return all rows of an account in all tables as one text, to search it for secrets."""
    found: list[Any] = []
    with closing(connect(server)) as connection:
        for table in tables(server):
            if "account_sid" in columns(server, table):
                query = f"SELECT * FROM {table} WHERE account_sid = ?"
                found += connection.execute(query, (account_sid,)).fetchall()
    return repr(found)


def changes(api: Api, path: str, form: Fields, **expected: Any) -> dict[str, Any]:
    """Check that an update changes exactly the expected keys, and that a fetch shows the same."""
    before = api.get(path).expect(200)
    answer = api.post(path, form)
    after: dict[str, Any] = answer.expect(200)
    assert list(after) == list(before)
    dates = {"date_updated": after["date_updated"]} if "date_updated" in after else {}
    assert after == {**before, **dates, **expected}
    assert api.get(path).body == answer.body
    return after


def refuses(
    server: Server, api: Api, path: str, form: Fields, code: int, status: int = 400
) -> dict[str, Any]:
    """Check that an update is rejected, and changes neither the resource nor the event log."""
    assert api.sid is not None
    before, changes_before = api.get(path).body, _changes_in_log(server, api.sid)
    error: dict[str, Any] = api.post(path, form).refuses(status, code)
    assert api.get(path).body == before
    assert _changes_in_log(server, api.sid) == changes_before
    return error


def _changes_in_log(server: Server, account_sid: str) -> list[tuple[str, str]]:
    """Return the events of settings: an earlier test's timer may add an event too."""
    return [each for each in logged_events(server, account_sid) if each[0].endswith("Changed")]
