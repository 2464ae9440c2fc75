"""The open work of the result writer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from parlour.delivery.result_writer import ResultWriter
from tests.unit.delivery.term_setup import Setup, run


def test_entries_that_are_not_in_the_log_are_open_work() -> None:
    async def scenario(setup: Setup) -> None:
        writer = ResultWriter(setup.store, setup.throttle, setup.metrics)
        writer.ensure_running = lambda: None  # type: ignore[method-assign]
        assert list(writer.open_work()) == []
        scope = SimpleNamespace(account_sid="AC2")
        entry: Any = SimpleNamespace(scope=scope, outcome="delivered")
        writer.record_pre_action(entry)
        assert [each.account_sid for each in writer.open_work()] == ["AC2"]
        writer.start_term(setup.term, None)  # type: ignore[arg-type]
        setup.term.results.add("AC1", None)  # type: ignore[arg-type]
        assert sorted(each.account_sid for each in writer.open_work()) == ["AC1", "AC2"]

    run(scenario)


def test_what_is_queued_of_some_accounts_is_dropped() -> None:
    async def scenario(setup: Setup) -> None:
        writer = ResultWriter(setup.store, setup.throttle, setup.metrics)
        writer.ensure_running = lambda: None  # type: ignore[method-assign]
        for account_sid in ("AC1", "AC2"):
            scope = SimpleNamespace(account_sid=account_sid)
            entry: Any = SimpleNamespace(scope=scope, outcome="delivered")
            writer.record_pre_action(entry)
        writer.drop(lambda account_sid: account_sid == "AC2")
        assert [each.account_sid for each in writer.open_work()] == ["AC1"]
        writer.start_term(setup.term, None)  # type: ignore[arg-type]
        setup.term.results.add("AC3", None)  # type: ignore[arg-type]
        writer.drop(lambda account_sid: account_sid != "AC2")
        assert not writer.has_work

    run(scenario)
