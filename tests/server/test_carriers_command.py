"""``parlour carriers``: the list of carriers, and a test message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from parlour.cli.main import main
from tests.support.client import Api
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

pytestmark = pytest.mark.xdist_group("carriers command")

NUMBER, PHONE = "+15550100001", "+15550100002"


def carriers_file(folder: Path, account_sid: str) -> Path:
    path = folder / "carriers.toml"
    path.write_text(
        '[[routes]]\nprefix = "+1"\ncarrier = "virtual"\n'
        '[[routes]]\nchannel = "email"\ncarrier = "virtual"\n'
        f'[[numbers]]\naddresses = ["{NUMBER}", "12345"]\naccount = "{account_sid}"\n'
    )
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with a carriers file, which routes to virtual phones."""
    folder = tmp_path_factory.mktemp("carriers")
    made = Server(args=("--carriers", str(folder / "carriers.toml")))
    carriers_file(folder, made.account_sid)
    with made:
        yield made


def run(server: Server, *arguments: str, **options: Any) -> Result:
    environment = {
        "PARLOUR_DATA": str(server.data_dir),
        "PARLOUR_DATABASE": server.database,
        "PARLOUR_CARRIERS": server._args[1],
    }
    return CliRunner().invoke(main, ["carriers", *arguments], env=environment | options)


def test_the_list_shows_each_carrier_with_its_routes(server: Server) -> None:
    result = run(server, "list", "--json")
    assert result.exit_code == 0, result.output
    (shown,) = [json.loads(line) for line in result.output.splitlines()]
    assert (shown["name"], shown["type"]) == ("virtual", "virtual")
    assert shown["routes"] == ["prefix +1", "channel email"]
    assert "sms" in shown["channels"]
    text = run(server, "list").output
    assert text.startswith("virtual  virtual (")
    assert text.endswith("  prefix +1, channel email\n")


def test_without_a_file_the_only_carrier_has_every_channel() -> None:
    result = CliRunner().invoke(main, ["carriers", "list", "--json"], env={"PARLOUR_CARRIERS": ""})
    (shown,) = [json.loads(line) for line in result.output.splitlines()]
    assert (shown["name"], shown["routes"]) == ("virtual", ["channel *"])


def test_names_of_carriers_are_in_columns(tmp_path: Path) -> None:
    path = tmp_path / "carriers.toml"
    path.write_text('[carriers.a]\ntype = "virtual"\n[[routes]]\nchannel = "*"\ncarrier = "a"\n')
    result = CliRunner().invoke(main, ["carriers", "list", "--carriers", str(path)])
    shown = result.output.splitlines()
    assert [line.index("virtual (") for line in shown] == [9, 9]


def test_an_unknown_carrier_without_a_file_leads_to_the_option() -> None:
    arguments = ["carriers", "test", "gateway", "--to", PHONE]
    result = CliRunner().invoke(main, arguments, env={"PARLOUR_CARRIERS": ""})
    assert result.exit_code == 1
    assert "; name the server's carriers file with --carriers" in result.output


def test_a_message_is_sent_by_the_server_and_its_receipt_followed(server: Server) -> None:
    result = run(server, "test", "virtual", "--to", PHONE, "--wait", "30")
    assert result.exit_code == 0, result.output
    first, *statuses = result.output.splitlines()
    assert first.startswith("queued IM")
    assert first.endswith(f" from {NUMBER} to {PHONE}")
    assert statuses[-1] == "delivered"
    # The conversation is deleted, so the same pair is free for the next test.
    assert run(server, "test", "virtual", "--to", PHONE, "--from", NUMBER).exit_code == 0


def test_a_test_without_a_final_receipt_does_not_refuse_the_next_one(server: Server) -> None:
    silent = "+15550100009"
    phones = f"/parlour/v1/VirtualPhones/{silent}"
    api = Api(server.base_url, server.account_sid, server.auth_token)
    api.post("/parlour/v1/VirtualPhones", Address=silent).expect(201)
    api.post(phones, Behaviour="silent").expect(200)
    first = run(server, "test", "virtual", "--to", silent, "--wait", "2")
    assert first.output.splitlines()[1:3] == ["sent", "no delivery report in time"]
    api.post(phones, Behaviour="deliver").expect(200)
    second = run(server, "test", "virtual", "--to", silent, "--wait", "30")
    assert second.output.splitlines()[-1] == "delivered"


def test_a_pair_of_another_conversation_is_refused_with_the_remedy(server: Server) -> None:
    api = Api(server.base_url, server.account_sid, server.auth_token)
    conversation = api.post("/v1/Conversations").expect(201)["sid"]
    phone = "+15550100008"
    binding = {"MessagingBinding.Address": phone, "MessagingBinding.ProxyAddress": NUMBER}
    api.post(f"/v1/Conversations/{conversation}/Participants", **binding).expect(201)
    names = [each["sid"] for each in api.get("/v1/Conversations").expect(200)["conversations"]]
    result = run(server, "test", "virtual", "--to", phone)
    assert result.exit_code == 1
    assert f"in Conversation {conversation}: close it, or choose another --to" in result.output
    left = [each["sid"] for each in api.get("/v1/Conversations").expect(200)["conversations"]]
    assert left == names


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("other", "--to", PHONE), "there is no carrier other; the carriers are virtual"),
        (("virtual", "--to", "0555"), "--to 0555 is no address, such as +15550100001"),
        (("virtual", "--to", PHONE, "--from", "x y"), "--from x y is no address"),
        (
            ("virtual", "--to", f"whatsapp:{PHONE}"),
            "no number of the file sends whatsapp through virtual: give --from",
        ),
        (
            ("virtual", "--to", PHONE, "--from", "a@example.com"),
            "--from is an address of email, and --to of sms",
        ),
        (
            ("virtual", "--to", PHONE, "--from", "+4930123"),
            "+4930123 has no route: choose a sender of virtual with --from",
        ),
        (("virtual", "--to", PHONE, "--from", "+15550109999"), "50413"),
    ],
)
def test_a_test_that_cannot_run_is_refused_with_the_reason(
    server: Server, arguments: tuple[str, ...], reason: str
) -> None:
    result = run(server, "test", *arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert reason in result.output


def test_a_test_with_another_file_than_the_servers_is_refused(
    server: Server, tmp_path: Path
) -> None:
    path = carriers_file(tmp_path, server.account_sid)
    path.write_text(path.read_text() + '[[routes]]\nprefix = "+49"\ncarrier = "virtual"\n')
    result = run(server, "test", "virtual", "--to", PHONE, PARLOUR_CARRIERS=str(path))
    assert result.exit_code == 1
    assert "the server runs with other routes or numbers" in result.output


def test_a_test_without_a_store_names_the_folder(server: Server, tmp_path: Path) -> None:
    result = run(
        server, "test", "virtual", "--to", PHONE, PARLOUR_DATA=str(tmp_path), PARLOUR_DATABASE=""
    )
    assert result.exit_code == 1
    assert f"there is no store in {tmp_path}" in result.output
