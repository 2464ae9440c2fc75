"""Webhook settings in force at an event: current rows, or the rows before the next change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from structlog.testing import capture_logs

from parlour.delivery import webhook_settings
from parlour.delivery.webhook_settings import (
    EffectiveConfiguration,
    SettingsInForce,
    current_configuration,
    effective_configuration,
    names_of,
)
from parlour.resources.scoped_webhooks import store as scoped_webhook_store
from parlour.resources.service_webhook_configuration import (
    store as service_webhook_configuration_store,
)
from parlour.resources.service_webhook_configuration.store import ServiceWebhookConfiguration
from parlour.resources.webhook_configuration import store as webhook_configuration_store
from parlour.resources.webhook_configuration.store import WebhookConfiguration
from parlour.store import event_log
from parlour.vocabulary import event_names
from parlour.vocabulary.scope import Scope
from tests.unit.delivery.database import SCOPE, Database, run_on_database
from tests.unit.delivery.webhook_rows import (
    POST,
    PRE,
    account_webhooks,
    scoped_webhook,
    service_webhooks,
)

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from parlour.vocabulary.event import Event

NO_SERVICE = ServiceWebhookConfiguration("AC1", "IS1")
OF_ACCOUNT = EffectiveConfiguration(
    key="AC1",
    scope="account",
    method="POST",
    filters=frozenset({"onMessageAdded"}),
    pre_webhook_url=PRE,
    post_webhook_url=POST,
)
OF_SERVICE = EffectiveConfiguration(
    key="IS1",
    scope="service",
    method="POST",
    filters=frozenset({"onMessageAdded"}),
    pre_webhook_url=None,
    post_webhook_url="http://service.test/",
)


# --- The configuration in force -----------------------------------------------------------


def test_a_list_of_names_is_a_set_and_an_absent_one_is_empty() -> None:
    assert names_of('["a","b"]') == {"a", "b"}
    assert names_of(None) == names_of("") == frozenset()


def test_a_service_with_a_url_replaces_its_account_entirely() -> None:
    assert effective_configuration(service_webhooks(), None) == OF_SERVICE
    assert effective_configuration(service_webhooks(), account_webhooks()) == OF_SERVICE
    only_pre = service_webhooks(pre_webhook_url=PRE, post_webhook_url=None, method="GET")
    found = effective_configuration(only_pre, account_webhooks())
    assert found is not None
    assert (found.method, found.pre_webhook_url, found.post_webhook_url) == ("GET", PRE, None)


def test_a_service_without_a_url_falls_back_to_its_account() -> None:
    own = service_webhooks(post_webhook_url=None, method="GET")
    assert effective_configuration(own, account_webhooks()) == OF_ACCOUNT
    with pytest.raises(AssertionError, match="IS1"):
        effective_configuration(own, None)


@pytest.mark.parametrize(
    ("cleared", "has_any"),
    [
        (["pre_webhook_url"], True),
        (["post_webhook_url"], True),
        (["pre_webhook_url", "post_webhook_url"], False),
    ],
)
def test_an_account_without_a_url_has_no_webhook(cleared: list[str], *, has_any: bool) -> None:
    shared = account_webhooks(**dict.fromkeys(cleared))
    assert (effective_configuration(NO_SERVICE, shared) is not None) == has_any


def test_an_account_with_target_flex_has_no_webhook_and_one_warning() -> None:
    webhook_settings._warn_flex_target_ignored.cache_clear()
    shared = account_webhooks(target="flex")
    with capture_logs() as logs:
        assert effective_configuration(NO_SERVICE, shared) is None
        assert effective_configuration(NO_SERVICE, shared) is None
    assert [(each["event"], each["account_sid"]) for each in logs] == [
        ("flex_webhook_target_ignored", "AC1")
    ]


# --- Settings over time -------------------------------------------------------------------


async def save_account(database: Database, **changes: Any) -> None:
    made = account_webhooks(**changes)
    save = webhook_configuration_store.save_webhook_configuration
    await database.write_settings(save, Scope("AC1"), made)


async def save_service(database: Database, **changes: Any) -> None:
    save = service_webhook_configuration_store.save_service_webhook_configuration
    await database.write_settings(save, SCOPE, service_webhooks(**changes))


async def message_added(database: Database, **changes: Any) -> Event:
    return await database.emit(event_names.ON_MESSAGE_ADDED, {}, **changes)


async def configured(database: Database, *events: Event) -> list[EffectiveConfiguration | None]:
    """Return the configurations in force at events, in one transaction."""

    async def read(tx: Transaction) -> list[EffectiveConfiguration | None]:
        settings = SettingsInForce()
        return [
            await settings.configured(tx, Scope(each.account_sid, each.service_sid), each.sequence)
            for each in events
        ]

    found: list[EffectiveConfiguration | None] = await database.store.read(read)
    return found


async def attached(database: Database, *events: Event) -> list[list[str]]:
    """Return the scoped webhooks in force at events, in one transaction."""

    async def read(tx: Transaction) -> list[list[str]]:
        settings = SettingsInForce()
        return [
            [each.sid for each in await settings.attached(tx, SCOPE, event)] for event in events
        ]

    found: list[list[str]] = await database.store.read(read)
    return found


def test_the_current_configuration_is_that_of_the_service_or_of_its_account(
    tmp_path: Path,
) -> None:
    async def scenario(database: Database) -> None:
        assert await database.read(current_configuration, SCOPE) is None
        await save_account(database)
        assert await database.read(current_configuration, SCOPE) == OF_ACCOUNT
        await save_service(database)
        assert await database.read(current_configuration, SCOPE) == OF_SERVICE
        assert await database.read(current_configuration, Scope("AC1", "IS2")) == OF_ACCOUNT
        assert await database.read(current_configuration, Scope("AC2", "IS1")) is None

    run_on_database(tmp_path, scenario)


def test_an_event_has_the_settings_before_the_first_change_after_it(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        none = await message_added(database)
        await save_account(database)
        first = await message_added(database)
        also = await message_added(database)
        await save_service(database)
        second = await message_added(database)
        await save_service(database, post_webhook_url=None)
        await save_account(database, post_webhook_url="http://later.test/")
        last = await message_added(database)
        of_account, of_service = OF_ACCOUNT, OF_SERVICE
        later = msgspec.structs.replace(of_account, post_webhook_url="http://later.test/")
        expected = [None, of_account, of_account, of_service, later]
        assert await configured(database, none, first, also, second, last) == expected

    run_on_database(tmp_path, scenario)


def test_the_settings_of_an_account_are_not_those_of_another(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        theirs = await message_added(database, scope=Scope("AC2", "IS1"))
        await save_account(database)
        mine = await message_added(database)
        their_next = await message_added(database, scope=Scope("AC2", "IS1"))
        found = await configured(database, theirs, mine, their_next)
        assert found == [None, OF_ACCOUNT, None]

    run_on_database(tmp_path, scenario)


def test_the_log_is_searched_once_per_owner_and_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []
    next_change = event_log.next_webhook_change

    async def counted(tx: Transaction, scope: Scope, owner_sid: str, sequence: int) -> Any:
        searched.append(owner_sid)
        return await next_change(tx, scope, owner_sid, sequence)

    monkeypatch.setattr(event_log, "next_webhook_change", counted)

    async def scenario(database: Database) -> None:
        events = [await message_added(database) for _ in range(3)]
        assert await configured(database, *events) == [None] * 3
        assert searched == []  # No settings of the account changed.
        await save_account(database)
        events += [await message_added(database) for _ in range(3)]
        found = await configured(database, *events)
        assert found == [None] * 3 + [OF_ACCOUNT] * 3
        assert searched == ["IS1", "AC1", "AC1"]  # Of the account also after its change.

    run_on_database(tmp_path, scenario)


def test_events_out_of_order_are_matched_with_their_own_settings(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        before = await message_added(database)
        await save_account(database)
        after = await message_added(database)
        assert await configured(database, after, before) == [OF_ACCOUNT, None]

    run_on_database(tmp_path, scenario)


# --- Scoped webhooks ----------------------------------------------------------------------


async def attach(database: Database, sid: str) -> None:
    """Attach a webhook as the API does, with an event in the same transaction."""

    async def action(tx: Transaction) -> None:
        made = scoped_webhook(sid, sequence=tx.next_sequence(), date_created=tx.now)
        await scoped_webhook_store.insert_scoped_webhook(tx, SCOPE, made)
        payload = {"scoped_webhook": made, "next_message_index": 0}
        name = event_names.SCOPED_WEBHOOK_ADDED
        await tx.emit(SCOPE, name, conversation_sid="CH1", subject_sid=sid, payload=payload)

    await database.store.write(action)


async def detach(database: Database, sid: str) -> None:
    await database.write(scoped_webhook_store.delete_scoped_webhook_row, SCOPE, "CH1", sid)


def test_an_event_has_the_scoped_webhooks_of_its_time_oldest_first(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        events = [await message_added(database)]
        for change in (attach(database, "WH2"), attach(database, "WH1"), detach(database, "WH2")):
            await change
            events.append(await message_added(database))
        events.append(await message_added(database, conversation_sid="CH2"))
        expected = [[], ["WH2"], ["WH2", "WH1"], ["WH1"], []]
        assert await attached(database, *events) == expected

    run_on_database(tmp_path, scenario)


def test_without_any_scoped_webhook_no_conversation_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unexpected(*_: object) -> None:
        raise AssertionError

    async def scenario(database: Database) -> None:
        events = [await message_added(database, conversation_sid=f"CH{each}") for each in "12"]
        monkeypatch.setattr(scoped_webhook_store, "list_all_scoped_webhooks", unexpected)
        assert await attached(database, *events) == [[], []]
        monkeypatch.undo()
        await attach(database, "WH1")
        assert await attached(database, await message_added(database)) == [["WH1"]]

    run_on_database(tmp_path, scenario)


def test_the_removal_of_a_conversation_has_the_webhooks_that_it_removed(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        before = await message_added(database)
        payload = {"conversation": {}, "scoped_webhooks": [scoped_webhook("WH7")]}
        removed = await database.emit(
            event_names.ON_CONVERSATION_REMOVED, payload, subject_sid="CH1"
        )
        assert await attached(database, before, removed) == [["WH7"], ["WH7"]]

    run_on_database(tmp_path, scenario)


def test_a_change_without_the_webhooks_before_it_is_unreadable(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        event = await message_added(database)
        await database.emit(event_names.WEBHOOKS_CHANGED, {}, subject_sid="CH1")
        with pytest.raises(msgspec.ValidationError, match="does not have the webhooks before"):
            await attached(database, event)

    run_on_database(tmp_path, scenario)


@pytest.mark.parametrize("is_earlier", [True, False])
def test_without_a_recorded_change_the_order_of_the_log_decides(
    tmp_path: Path, *, is_earlier: bool
) -> None:
    """As after an upgrade from a version that did not record changes; in one millisecond."""

    async def scenario(database: Database) -> None:
        made = scoped_webhook("WH1", date_created=database.clock.now_ms())

        async def insert(tx: Transaction) -> None:
            await scoped_webhook_store._insert(tx, SCOPE, made)

        events = [await message_added(database)] if is_earlier else []
        await database.store.write(insert)
        payload = {"scoped_webhook": made}
        await database.emit(event_names.SCOPED_WEBHOOK_ADDED, payload, subject_sid="WH1")
        if not is_earlier:
            events = [await message_added(database)]
        assert await attached(database, *events) == [[] if is_earlier else ["WH1"]]

    run_on_database(tmp_path, scenario)


def test_a_webhook_created_before_the_date_of_an_event_needs_no_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unexpected(*_: object) -> None:
        raise AssertionError

    async def scenario(database: Database) -> None:
        await attach(database, "WH1")
        database.clock.advance(1)
        event = await message_added(database)
        monkeypatch.setattr(event_log, "attached_at", unexpected)
        assert await attached(database, event) == [["WH1"]]

    run_on_database(tmp_path, scenario)


def test_defaults_apply_to_an_account_without_a_row() -> None:
    assert effective_configuration(NO_SERVICE, WebhookConfiguration("AC1")) is None
