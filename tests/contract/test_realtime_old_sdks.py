"""Client SDKs of another protocol are rejected with a text that names the supported ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parlour.realtime.disconnects import SDK_UNSUPPORTED
from tests.contract.sdk_runner import EVERY_VERSION, ProgramRun, settings_for
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-order-node")

OLD = ("conversations-1.2", "twilio-chat")
SECONDS_MAX = 60


def test_old_sdks_show_which_ones_are_supported(fresh_server: Server) -> None:
    settings = settings_for(fresh_server, next(iter(EVERY_VERSION)))
    run = ProgramRun(["old.mjs"], settings | {"VERSIONS": " ".join(OLD)}, SECONDS_MAX)
    shown = {line["name"]: line["message"] for line in run.of("shown")}
    assert list(shown) == list(OLD)
    for message in shown.values():
        assert SDK_UNSUPPORTED.description in message
    logged = eventually(
        lambda: fresh_server.log_tail().count("client_sdk_rejected"), lambda n: n >= len(OLD)
    )
    assert logged >= len(OLD)
