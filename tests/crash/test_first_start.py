"""The server is killed during its very first start: the next start succeeds."""

from __future__ import annotations

import contextlib
import os
import random
import time
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from parlour.store.key_file import load_vault
from parlour.vocabulary.clock import SystemRandom
from tests.support.client import Api
from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path

STARTS = 6
START_SECONDS_MAX = 0.8
STEPS_OF_THE_KEY = ("open", "fdopen", "fsync", "link")


def test_server_killed_in_its_first_start_starts_the_next_time(tmp_path: Path) -> None:
    for number in range(STARTS):
        server = Server(tmp_path / f"data-{number}")
        server._spawn()
        time.sleep(random.uniform(0.0, START_SECONDS_MAX))
        server.kill()

        with server:
            api = Api(server.base_url, server.account_sid, server.auth_token)
            assert len(api.get("/Roles").expect(200)["roles"]) == 4
            api.post("/Conversations").expect(201)
            api.close()


@pytest.mark.parametrize("step", STEPS_OF_THE_KEY)
def test_crash_during_key_creation_leaves_no_broken_key(tmp_path: Path, step: str) -> None:
    with (
        mock.patch.object(os, step, side_effect=KeyboardInterrupt),
        contextlib.suppress(KeyboardInterrupt),
    ):
        load_vault(tmp_path, SystemRandom())

    first = load_vault(tmp_path, SystemRandom())

    assert load_vault(tmp_path, SystemRandom()).page_token_key == first.page_token_key
