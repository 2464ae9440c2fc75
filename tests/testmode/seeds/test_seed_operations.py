"""Seeds over HTTP, and at the start and the end of a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parlour.testmode.seeds.text import read_document, write_yaml
from tests.support.client import Api
from tests.support.preloaded_servers import template
from tests.support.server import REPOSITORY, Server
from tests.testmode.seeds.documents import EXAMPLE, example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import ApiResponse

pytestmark = pytest.mark.embedded
ENVIRONMENT = {"PARLOUR_ACCOUNT_SID": "", "PARLOUR_AUTH_TOKEN": "", "PARLOUR_DATABASE": ""}
SEEDS = "/parlour/v1/Seeds"
YAML = "application/yaml"
SECONDS_MAX = 30


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The first account of a server in test mode."""
    data = tmp_path_factory.mktemp("seeds") / "data"
    with Server(data, ENVIRONMENT, args=("--test",)) as server:
        ready = server.ready()
        yield Api(ready["url"], ready["account_sid"], ready["auth_token"])


def post(api: Api, body: bytes, kind: str = YAML) -> ApiResponse:
    """Post a document."""
    return api.request("POST", SEEDS, headers={"content-type": kind}, body=body)


def key_of(api: Api) -> Api:
    """Return the same account with the well-known API key."""
    return api.signed("SK" + "0" * 32, "parlour-test-api-key-secret")


def test_a_seed_is_loaded_and_exported_over_http(api: Api) -> None:
    document = {"parlour": 1, "users": [{"key": "alice", "identity": "alice"}]}

    loaded = post(api, json.dumps(document).encode(), "application/json").expect(201)

    assert list(loaded) == ["sids", "elapsed_ms"]
    assert list(loaded["sids"]) == ["users.alice"]
    assert api.get("/Users/alice").expect(200)["sid"] == loaded["sids"]["users.alice"]
    # Other tests add users to the account.
    assert "alice" in [each["identity"] for each in api.get(SEEDS).expect(200)["users"]]
    with_sids = {each["identity"]: each for each in api.get(SEEDS, Sids="true").json["users"]}
    assert with_sids["alice"]["sid"] == loaded["sids"]["users.alice"]


def test_a_check_answers_as_the_load_would_and_changes_nothing(api: Api) -> None:
    def check(body: bytes) -> ApiResponse:
        return api.request("POST", f"{SEEDS}/Check", headers={"content-type": YAML}, body=body)

    seed = b"parlour: 1\nclock: 2031-01-01T00:00:00Z\nusers:\n  - {key: carl, identity: carl}\n"

    assert check(seed).expect(200)["labels"] == ["users.carl"]
    api.get("/Users/carl").refuses(404, 20404)
    assert api.get("/parlour/v1/Clock").expect(200)["mode"] == "system"

    wrong = b"parlour: 1\nusers:\n  - {identity: dora, colour: red}\n"
    assert check(wrong).expect(400)["message"] == post(api, wrong).expect(400)["message"]
    # What exists already is found by the trial only.
    taken = b"parlour: 1\nusers:\n  - {identity: emil}\n  - {identity: emil}\n"
    check(taken).refuses(400, 50201)


def test_the_schema_is_served(api: Api) -> None:
    schema = api.get(f"{SEEDS}/Schema").expect(200)

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"conversations", "users"} <= set(schema["properties"])


def test_an_error_quotes_the_path_and_the_code_of_the_api(api: Api) -> None:
    seed = b"""
parlour: 1
conversations:
  - participants:
      - {identity: alice}
      - {address: "+15550100", proxy_address: "+15550100"}
"""

    error = post(api, seed).refuses(400, 50409)

    assert error["message"].startswith("conversations[0].participants[1].proxy_address: 50409 ")


@pytest.mark.parametrize("key", ["clock: 2099-01-05T09:00:00Z", "random_seed: 7"])
def test_a_seed_that_steers_the_server_needs_the_auth_token(api: Api, key: str) -> None:
    post(key_of(api), b"parlour: 1").expect(201)

    post(key_of(api), f"parlour: 1\n{key}".encode()).refuses(403, 20403)


def test_variables_are_not_replaced_by_the_server(api: Api) -> None:
    seed = b"{parlour: 1, users: [{identity: '${HOME}'}]}"

    post(api, seed).expect(201)

    assert "${HOME}" in [each["identity"] for each in api.get(SEEDS).expect(200)["users"]]


def test_a_seed_may_be_larger_than_other_bodies_but_not_than_its_limit(api: Api) -> None:
    comment = b"# " + b"x" * 4_000_000 + b"\n"

    post(api, comment + b"parlour: 1").expect(201)
    post(api, comment * 2 + b"parlour: 1").refuses(413, 20413)
    api.request("POST", "/Users", headers={"content-type": YAML}, body=comment).refuses(413, 20413)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_a_body_of_another_type_returns_415(api: Api, kind: str) -> None:
    post(api, b"parlour: 1", kind).refuses(415, 20001)


# --- Files ------------------------------------------------------------------------------


def test_a_start_loads_seeds_and_the_end_exports_the_account(tmp_path: Path) -> None:
    first, second, out = (tmp_path / name for name in ("a.yaml", "b.json", "out.yaml"))
    first.write_text(EXAMPLE)
    second.write_text(json.dumps({"parlour": 1, "users": [{"identity": "bob"}]}))
    out.write_text("previous")
    arguments = ["--test", "--seed", str(first), "--seed", str(second)]
    arguments += ["--export-on-exit", str(out)]
    environment = ENVIRONMENT | {"APP_URL": "https://app.example"}
    with Server(tmp_path / "data", environment, args=arguments) as server:
        ready = server.ready()
        api = Api(ready["url"], ready["account_sid"], ready["auth_token"])
        assert api.get("/Conversations/order-4711").expect(200)["state"] == "active"
        assert api.get("/Users/bob").expect(200)["identity"] == "bob"
        exported = api.get(SEEDS).expect(200)
        assert out.read_text() == "previous"
        server.stop()

    assert read_document(out.read_bytes(), YAML) == exported
    assert exported["account"]["webhooks"]["post_url"] == "https://app.example/hooks"
    assert [each for each in tmp_path.iterdir() if each.name.startswith(".out")] == []


def test_a_reset_loads_the_seeds_of_the_start_again(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("{parlour: 1, clock: 2026-01-05T09:00:00Z, users: [{identity: alice}]}")
    arguments = ["--test", "--seed", str(path)]
    with Server(tmp_path / "data", ENVIRONMENT, args=arguments) as server:
        ready = server.ready()
        api = Api(ready["url"], ready["account_sid"], ready["auth_token"])
        for scope in ("account", "server"):
            api.post("/Users", {"Identity": "bob"}).expect(201)
            api.post("/parlour/v1/Reset", {"Scope": scope, "Seed": "start"}).expect(200)
            assert [each["identity"] for each in api.get("/Users").json["users"]] == ["alice"]
            assert api.get("/parlour/v1/Clock").json["now"] == "2026-01-05T09:00:00.000Z"


def test_a_reset_to_the_seed_of_a_start_without_one_changes_nothing(api: Api) -> None:
    api.post("/Users", {"Identity": "stays"}).expect(201)

    api.post("/parlour/v1/Reset", {"Seed": "start"}).refuses(400, 20001)

    api.get("/Users/stays").expect(200)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (EXAMPLE, "seed.yaml: variable not set: APP_URL"),
        (
            "{parlour: 1, users: [{identity: a}, {identity: a}]}",
            "seed.yaml: users[1].identity: 50201",
        ),
    ],
)
def test_a_start_with_a_wrong_seed_fails_with_its_file_and_path(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text(text)
    environment = {"PYTHONPATH": str(REPOSITORY / "src"), "PARLOUR_LOG_LEVEL": "error"}
    arguments = ["serve", "--test", "--port", "0", "--seed", str(path)]

    done = template().run(arguments, environment, Path("/"), SECONDS_MAX)

    output: Any = done.stderr
    shown = output if isinstance(output, str) else output.decode()
    assert done.returncode == 1
    assert message in shown, shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("name", ["none/out.yaml", "."])
def test_a_start_fails_if_its_export_cannot_be_written(tmp_path: Path, name: str) -> None:
    environment = {"PYTHONPATH": str(REPOSITORY / "src"), "PARLOUR_LOG_LEVEL": "error"}
    arguments = ["serve", "--test", "--port", "0", "--export-on-exit", str(tmp_path / name)]

    done = template().run(arguments, environment, Path("/"), SECONDS_MAX)

    output: Any = done.stderr
    shown = output if isinstance(output, str) else output.decode()
    assert done.returncode == 1
    assert "a folder" in shown
    assert "Traceback" not in shown


def test_the_written_example_is_the_example() -> None:
    assert read_document(write_yaml(example()), YAML) == example()
