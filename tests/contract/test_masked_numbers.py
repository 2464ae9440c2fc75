"""The example of masked numbers runs as its README describes, and keeps its promises."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from twilio.rest import Client

from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from tests.support.server import Server

FOLDER = REPOSITORY / "examples" / "masked-numbers"
PROGRAM = FOLDER / "masked_numbers.py"
SHOWN = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PHONES = ("+15550211111", "+15550222222", "+15550233333")


@pytest.fixture(scope="module")
def example() -> Any:
    """The module of the example."""
    spec = importlib.util.spec_from_file_location("masked_numbers", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def account(server: Server) -> tuple[str, str]:
    """An account whose pairs no other test binds."""
    return server.make_account()


@pytest.fixture
def client(server: Server, account: tuple[str, str]) -> Client:
    made = Client(*account)
    made.conversations.base_url = server.base_url
    return made


def test_the_program_prints_what_its_readme_shows_each_time(
    server: Server, account: tuple[str, str], client: Client
) -> None:
    names = dict(zip(("ACCOUNT_SID", "AUTH_TOKEN"), account, strict=True))
    environment = {**os.environ, **names, "PARLOUR_URL": server.base_url}

    for _ in range(2):
        done = subprocess.run(
            [sys.executable, str(PROGRAM)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert SHOWN.findall((FOLDER / "README.md").read_text()) == [done.stdout]

    found = client.conversations.v1.conversations.list()
    assert [each.state for each in found] == ["closed"] * 6


def test_a_conflict_leads_to_the_next_number_until_the_pool_is_exhausted(
    example: Any, client: Client
) -> None:
    pool = ["+15550200001", "+15550200002"]
    rides = example.MaskedNumbers(client, pool)
    ann, bob, cem = PHONES

    first = rides.connect("1", ann, bob)
    second = rides.connect("2", ann, cem)
    assert first.numbers == {ann: pool[0], bob: pool[0]}
    assert second.numbers == {ann: pool[1], cem: pool[0]}
    with pytest.raises(example.PoolExhausted):
        rides.connect("3", "+15550244444", ann)
    names = {each.friendly_name for each in client.conversations.v1.conversations.list()}
    assert names == {"1", "2"}

    rides.end(first)
    assert rides.connect("4", ann, bob).numbers == first.numbers
