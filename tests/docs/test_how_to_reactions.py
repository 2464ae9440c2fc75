"""The code about reactions in the how-to works."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twilio.rest import Client

from tests.resources.settings_setup import new_account_api, new_service_api
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from tests.support.server import Server

PAGE = REPOSITORY / "docs" / "how-to" / "run-unchanged-programs.md"
PERMISSION = "editAnyMessageAttributes"


def test_code_adds_the_permission_to_the_default_role(server: Server) -> None:
    _, _, after = PAGE.read_text().partition("## Reactions")
    found = re.search(r"```python\n(.*?)```", after, re.DOTALL)
    assert found is not None
    api = new_account_api(server)
    service = new_service_api(api)
    client = Client(api.sid, api.token)
    client.conversations.base_url = server.base_url
    role_sid = service.get("/Configuration").expect(200)["default_conversation_role_sid"]
    before = service.get(f"/Roles/{role_sid}").expect(200)["permissions"]
    assert PERMISSION not in before
    names = {"client": client, "service_sid": service.prefix.rpartition("/")[2]}
    exec(found[1], names)  # noqa: S102 - the page's own code.
    now = service.get(f"/Roles/{role_sid}").expect(200)["permissions"]
    assert sorted(now) == sorted([*before, PERMISSION])
    api.close()
