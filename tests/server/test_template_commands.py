"""`parlour templates`: the approval of content templates by hand, on a running server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from parlour.cli.main import main
from tests.resources.settings_setup import new_account_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

    from tests.support.client import Api
    from tests.support.server import Server

APPROVAL = {"name": "greeting", "category": "UTILITY"}


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """An account with its templates, below Parlour's own version."""
    api = new_account_api(server)
    yield api.under("/parlour/v1")
    api.close()


def templates(own: Api, *arguments: str) -> Result:
    """Run a command with URL and login in the environment."""
    env = {
        "PARLOUR_READY_FILE": None,
        "PARLOUR_URL": own.base_url,
        "PARLOUR_ACCOUNT_SID": own.sid,
        "PARLOUR_AUTH_TOKEN": own.token,
    }
    return CliRunner().invoke(main, ["templates", *arguments], env=env)


def shown(own: Api, *arguments: str) -> list[dict[str, Any]]:
    result = templates(own, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def add(own: Api, *, submits: bool = True) -> str:
    """Create a template, and request its approval; return the SID."""
    form = {"FriendlyName": "greeting", "Body": "Hello {{1}}"}
    sid: str = own.post("/ContentTemplates", form).expect(201)["sid"]
    if submits:
        path = f"/Content/{sid}/ApprovalRequests/whatsapp"
        own.under("/v1").post(path, **json_body(APPROVAL)).expect(201)
    return sid


def json_body(value: object) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    return {"body": json.dumps(value).encode(), "headers": headers}


def test_a_decision_is_made_and_changed(own: Api) -> None:
    sid = add(own)
    [rejected] = shown(own, "reject", sid, "--reason", "Too pushy")
    assert rejected["approval"]["status"] == "rejected"
    assert rejected["approval"]["rejection_reason"] == "Too pushy"
    line = templates(own, "list").stdout
    assert line == f"{sid}  rejected     greeting  Too pushy\n"
    [approved] = shown(own, "approve", sid)
    assert approved["approval"] == {**rejected["approval"], "status": "approved"} | {
        "rejection_reason": ""
    }


def test_the_list_is_filtered_by_the_status(own: Api) -> None:
    waiting, approved = add(own, submits=False), add(own)
    shown(own, "approve", approved)
    assert {each["sid"] for each in shown(own, "list")} == {waiting, approved}
    assert [each["sid"] for each in shown(own, "list", "--status", "approved")] == [approved]
    assert shown(own, "list", "--status", "pending") == []


def test_a_template_without_a_request_or_an_unknown_one_is_an_error(own: Api) -> None:
    refused = templates(own, "approve", add(own, submits=False))
    assert (refused.exit_code, "No approval of this template" in refused.output) == (1, True)
    missing = templates(own, "reject", "HX" + "0" * 32)
    assert (missing.exit_code, "error 20404" in missing.output) == (1, True)
