"""Health checks: one run at a time off the event loop, cached, with unique names."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from parlour.channels.carriers_file import without_file
from parlour.config import Settings
from parlour.inspection import findings
from parlour.inspection.checks import Finding
from parlour.inspection.health import HealthChecks
from parlour.inspection.shown_settings import shown_settings
from parlour.operations.node_reports import CarrierLink
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

LINKS = {"sms": (CarrierLink("one", True, ""), CarrierLink("two", False, "refused."))}


class Runs:
    """Replaces the checks, and counts their runs."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def find_all(self, _settings: Settings) -> dict[str, list[Finding]]:
        """Return two findings of one group, and none of another."""
        self.threads.append(threading.get_ident())
        found = [Finding("Open.", "Close it."), Finding("Old.", "Renew it.", is_unsafe=False)]
        return {"settings": found, "machine": []}


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """The runs of the checks."""
    made = Runs()
    monkeypatch.setattr(findings, "find_all", made.find_all)
    return made


def test_requests_share_a_run_in_a_thread_and_its_results(runs: Runs, tmp_path: Path) -> None:
    clock = FakeClock()

    async def ask() -> None:
        checks = HealthChecks(Settings(data=tmp_path), without_file(), clock, lambda: LINKS)
        found = await asyncio.gather(*(checks.health() for _ in range(5)))
        assert len({id(each) for each in found}) == len(runs.threads) == 1
        await checks.health()
        assert len(runs.threads) == 1
        clock.advance(limits.HEALTH_CACHED_MS)
        await checks.health()
        assert len(runs.threads) == 2
        shown = [(each.name, each.state) for each in found[0].checks]
        assert shown == [
            ("settings", "error"),
            ("settings 2", "warning"),
            ("machine", "ok"),
            ("link sms one", "ok"),
            ("link sms two", "error"),
        ]
        assert found[0].disk is not None

    asyncio.run(ask())
    assert threading.get_ident() not in runs.threads


def test_settings_are_shown_without_secrets_and_passwords() -> None:
    settings = Settings(
        auth_token="a-secret-token",
        database="postgresql://parlour:password@host/name",
    )
    rows = {each.name: each for each in shown_settings(settings, {"database": "environment"})}
    assert (rows["auth_token"].value, rows["auth_token"].is_set) == (None, True)
    assert "password" not in str(rows["database"].value)
    assert rows["database"].source == "environment"
    assert (rows["host"].value, rows["host"].source) == ("127.0.0.1", "default")
