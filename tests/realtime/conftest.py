"""A separate in-process server for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.realtime.clients import ScenarioRunner, scenario_runner

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    return scenario_runner(tmp_path)
