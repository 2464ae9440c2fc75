"""Numbers and routes of the carriers file in the database, on both engines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from parlour.channels.carriers_file import CarrierSettings
from parlour.resources.accounts import store as account_store
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.resources.carrier_numbers.store import (
    AutoCreationSettings,
    CarrierNumber,
    CarrierRoute,
    OptOutSettings,
)
from parlour.resources.participants import store as participant_store
from parlour.store.postgres.engine import PostgresStore
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary.clock import SystemClock, SystemRandom
from parlour.vocabulary.scope import Scope
from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parlour.store.transaction import Store, Work

T = TypeVar("T")

ONE, OTHER = "AC" + "1" * 32, "AC" + "2" * 32
NUMBER, STRANGE = "+15550100001", "+15550100009"


class RunningStore:
    """A store with its event loop."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.runner = asyncio.Runner()
        self.runner.run(store.start())

    def write(self, work: Work[T], account_sid: str = "*") -> T:
        return self.runner.run(self.store.write(work, account_sid=account_sid))

    def replace(
        self,
        *routes: CarrierRoute,
        numbers: tuple[CarrierNumber, ...] = (),
        digest: str = "file",
    ) -> None:
        self.write(lambda tx: carrier_number_store.replace_all(tx, routes, numbers, digest))

    def find_carrier(self, channel: str, sender: str | None) -> str | None:
        # In a transaction of one account, as a message is created.
        return self.write(lambda tx: carrier_number_store.find_carrier(tx, channel, sender), ONE)

    def may_send(self, account_sid: str, address: str) -> bool:
        scope = Scope(account_sid)
        return self.write(lambda tx: account_store.may_send_from(tx, scope, address), account_sid)

    def is_own(self, account_sid: str, address: str) -> bool:
        scope = Scope(account_sid)
        return self.write(
            lambda tx: participant_store.is_own_number(tx, scope, address), account_sid
        )


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningStore]:
    """Both engines; on PostgreSQL with row-level security, as in production."""
    clock, random = SystemClock(), SystemRandom()
    made: Any = (
        SqliteStore(tmp_path / "p.sqlite", clock, random)
        if request.param == "sqlite"
        else PostgresStore(shared().make_database(), clock, random, connections=2)
    )
    running = RunningStore(made)
    yield running
    running.runner.run(made.close())
    running.runner.close()


def test_without_a_file_every_sender_belongs_to_the_virtual_carrier(store: RunningStore) -> None:
    assert store.find_carrier("sms", NUMBER) == "virtual"
    assert store.find_carrier("email", None) == "virtual"
    assert not store.write(carrier_number_store.has_number_table)
    assert store.may_send(ONE, NUMBER)
    assert store.may_send(OTHER, NUMBER)
    assert not store.is_own(ONE, NUMBER)


def test_the_most_specific_route_wins(store: RunningStore) -> None:
    store.replace(
        CarrierRoute("channel", "*", "all"),
        CarrierRoute("channel", "sms", "texts"),
        CarrierRoute("prefix", "+1", "america"),
        CarrierRoute("prefix", "+1555", "city"),
        CarrierRoute("prefix", "whatsapp:+1", "cloud"),
        CarrierRoute("sender", NUMBER, "exact"),
    )
    found = {
        sender: store.find_carrier(channel, sender)
        for channel, sender in (
            ("sms", NUMBER),
            ("sms", STRANGE),
            ("sms", "+1501"),
            ("sms", "+4930"),
            ("whatsapp", f"whatsapp:{NUMBER}"),
            ("whatsapp", "whatsapp:+4930"),
            ("email", None),
        )
    }
    assert found == {
        NUMBER: "exact",
        STRANGE: "city",
        "+1501": "america",
        "+4930": "texts",
        f"whatsapp:{NUMBER}": "cloud",
        "whatsapp:+4930": "all",
        None: "all",
    }


def test_with_a_file_a_sender_without_a_route_has_no_carrier(store: RunningStore) -> None:
    store.replace(CarrierRoute("prefix", "+1555_", "pattern"), CarrierRoute("prefix", "%", "any"))
    assert store.find_carrier("sms", NUMBER) is None
    assert store.find_carrier("email", None) is None


def test_a_number_of_the_file_belongs_to_its_account_only(store: RunningStore) -> None:
    number = CarrierNumber(
        NUMBER,
        ONE,
        messaging_service_sid="MG" + "1" * 32,
        incoming_url="https://example.com/in",
        incoming_method="GET",
        also_plain_webhook=True,
        opt_out=OptOutSettings(is_handled=False, stop_words=("BASTA",)),
        auto_creation=AutoCreationSettings("IS" + "1" * 32),
    )
    store.replace(numbers=(number, CarrierNumber(STRANGE, OTHER)))
    assert store.write(lambda tx: carrier_number_store.find_number(tx, NUMBER)) == number
    assert store.write(lambda tx: carrier_number_store.find_number(tx, "+1")) is None
    assert store.write(carrier_number_store.has_number_table)
    assert (store.may_send(ONE, NUMBER), store.may_send(OTHER, NUMBER)) == (True, False)
    assert (store.is_own(ONE, NUMBER), store.is_own(OTHER, NUMBER)) == (True, False)
    # A number outside the table: it could be a number of another operator.
    assert not store.may_send(ONE, "+15550199999")


def test_the_list_of_an_account_decides_if_the_file_has_no_numbers(store: RunningStore) -> None:
    store.replace(CarrierRoute("channel", "*", "all"))
    assert store.may_send(ONE, NUMBER)
    scope = Scope(ONE)
    store.write(lambda tx: account_store.replace_account_numbers(tx, scope, [STRANGE]))
    assert (store.may_send(ONE, NUMBER), store.may_send(ONE, STRANGE)) == (False, True)
    store.replace(numbers=(CarrierNumber(NUMBER, ONE),))
    assert (store.may_send(ONE, NUMBER), store.may_send(ONE, STRANGE)) == (True, False)


def test_removing_the_file_restores_the_state_without_one(store: RunningStore) -> None:
    store.replace(
        CarrierRoute("prefix", "+9", "far"), numbers=(CarrierNumber(NUMBER, ONE),), digest="one"
    )
    assert store.write(carrier_number_store.find_file_digest) == "one"
    store.replace(digest="")
    assert store.write(carrier_number_store.find_file_digest) == ""
    assert store.find_carrier("sms", "+91") == "virtual"
    assert store.write(lambda tx: carrier_number_store.find_number(tx, NUMBER)) is None
    assert store.may_send(OTHER, NUMBER)


def test_routes_of_the_file_and_of_the_database_choose_alike(store: RunningStore) -> None:
    patterns = ["+1", "+15", "+1555", NUMBER, "whatsapp:+1", "sms", "*", "email", "a@b.example"]
    routes = [
        CarrierRoute(kind, pattern, f"{kind} {pattern}")
        for kind in ("sender", "prefix", "channel")
        for pattern in patterns
    ]
    senders = [("sms", NUMBER), ("sms", "+15"), ("whatsapp", f"whatsapp:{NUMBER}"), ("sms", "*")]
    senders += [("email", "a@b.example"), ("rcs", "rcs:a"), ("sms", "+4930")]
    while routes:
        store.replace(*routes)
        settings = CarrierSettings({}, tuple(routes), checksum="file")
        used = set()
        for channel, sender in senders:
            found = store.find_carrier(channel, sender)
            assert settings.find_carrier(channel, sender) == found
            used.add(found)
        # Without the routes that applied, the next ones do.
        routes = [each for each in routes if each.carrier not in used] if used - {None} else []
