"""Seed, export, seed: loading an export and exporting again gives the same text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from parlour.testmode.seeds.declaration import ROOT
from tests.testmode.seeds.documents import full, without_steering
from tests.testmode.seeds.worlds import seeds as generated_seeds
from tests.unit.testmode.seeds.test_seed_declaration import EVERY_KEY, used_keys

if TYPE_CHECKING:
    from tests.testmode.seeds.seed_server import SeedServer

pytestmark = pytest.mark.embedded
# Keys are local to a document, and what steers the server is not of the account.
NOT_EXPORTED = {
    "clock",
    "random_seed",
    "fires",
    "users.key",
    "addresses.key",
    "conversations.key",
    "conversations.messages.key",
    "conversations.webhooks.key",
}
# Each is a table of an account, and the columns whose values differ between two accounts.
COMPARED = {
    "conversation": "created_order, last_activity",
    "participant": "",
    "message": "",
    "receipt": "",
    "chat_user": "",
    "role": "",
    "service": "",
    "scoped_webhook": "",
    "virtual_phone": "activity",
}


def check_round_trip(server: SeedServer, document: dict[str, Any]) -> None:
    """Load a seed, and its exports into other accounts; all exports must be equal."""
    first = server.new_account()
    server.load(document, first)
    for sids in (False, True):
        text = server.text(first, sids=sids)
        other = server.new_account()
        server.load(text, other)
        assert server.text(other, sids=sids) == text
        if sids:
            assert rows_of(server, other) == rows_of(server, first)


def rows_of(server: SeedServer, account_sid: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of an account that both accounts have alike, dates in whole seconds."""
    found = {}
    for table, left_out in COMPARED.items():
        names = [row[0] for row in server.rows(f"SELECT name FROM pragma_table_info('{table}')")]
        skipped = {"account_sid", "sequence", "token", *left_out.replace(",", "").split()}
        columns = ", ".join(
            f"{name} / 1000" if name.startswith("date_") or name.endswith("timestamp") else name
            for name in names
            if name not in skipped
        )
        order = "activity, token" if table == "virtual_phone" else "sequence"
        order = "conversation_sid, message_index" if table == "message" else order
        # Roles of a deleted service are purged later.
        kept = "service_sid IN (SELECT sid FROM service WHERE account_sid = $1)"
        condition = f" AND {kept}" if "service_sid" in names else ""
        found[table] = server.rows(
            f"SELECT {columns} FROM {table} WHERE account_sid = $1{condition} ORDER BY {order}",
            account_sid,
        )
    return found


def test_a_seed_with_every_key_is_exported_as_it_was_loaded(seeds: SeedServer) -> None:
    check_round_trip(seeds, without_steering(full()))


def test_the_export_has_every_key(seeds: SeedServer) -> None:
    account = seeds.new_account()
    seeds.load(without_steering(full()), account)

    exported = set(used_keys(ROOT, seeds.export(account, sids=True)))

    assert set(EVERY_KEY) - exported == NOT_EXPORTED


def test_an_empty_account_is_exported_as_its_default_service(seeds: SeedServer) -> None:
    exported = seeds.export(seeds.new_account())

    assert list(exported) == ["parlour", "account", "services"]
    assert [each["key"] for each in exported["services"]] == ["default"]


@given(generated_seeds())
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_generated_worlds_are_exported_as_they_were_loaded(
    seeds: SeedServer, document: dict[str, Any]
) -> None:
    check_round_trip(seeds, document)


@pytest.mark.gate
@given(generated_seeds())
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_generated_worlds_are_exported_as_they_were_loaded(
    seeds: SeedServer, document: dict[str, Any]
) -> None:
    check_round_trip(seeds, document)
