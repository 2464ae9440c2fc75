"""The package of the test kit for Node.js: its content, its version, and where it comes from."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from parlour import __version__
from parlour.vocabulary import event_names
from tests.support.preloaded_servers import template
from tests.support.server import REPOSITORY
from tests.support.wheels import build_wheel
from tests.testkit.node_kit import SECONDS_MAX, write_kit

pytestmark = pytest.mark.embedded

SOURCE = REPOSITORY / "testkit" / "node"


def _files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_the_command_writes_the_package_into_a_new_folder(tmp_path: Path) -> None:
    assert _files(write_kit(tmp_path / "a" / "b")) == _files(SOURCE)


def test_the_command_replaces_an_earlier_package(tmp_path: Path) -> None:
    folder = write_kit(tmp_path / "kit")
    (folder / "index.js").write_text("old")
    (folder / "lib" / "former.js").write_text("old")

    write_kit(folder)

    assert _files(folder) == _files(SOURCE)


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "shop"}'])
def test_the_command_refuses_any_other_folder(tmp_path: Path, content: str) -> None:
    (tmp_path / "package.json").write_text(content)

    own = {"PYTHONPATH": str(REPOSITORY / "src")}
    done = template().run(["testkit", "node", str(tmp_path)], own, Path("/"), SECONDS_MAX)

    assert done.returncode == 1
    assert "neither empty nor an earlier parlour-testkit: nothing was written" in done.stderr
    assert _files(tmp_path) == {"package.json": content.encode()}


def test_the_wheel_contains_the_package(tmp_path: Path) -> None:
    built = build_wheel(tmp_path)
    with zipfile.ZipFile(built) as wheel:
        start = "parlour/node_testkit/"
        packed = {
            name.removeprefix(start): wheel.read(name)
            for name in wheel.namelist()
            if name.startswith(start)
        }
    assert packed == _files(SOURCE)


def test_the_package_has_the_version_of_the_server_and_no_dependency() -> None:
    package = json.loads((SOURCE / "package.json").read_text())

    assert package["version"] == __version__
    assert package["private"] is True
    assert not [name for name in package if "ependencies" in name]
    sources = "".join(path.read_text() for path in SOURCE.rglob("*.js"))
    imported = set(re.findall(r'from "([^"]+)"', sources))
    assert {name for name in imported if not name.startswith((".", "node:"))} == set()


def test_the_events_are_those_of_the_server() -> None:
    text = (SOURCE / "lib" / "webhook_events.js").read_text()
    lists = {
        name: tuple(re.findall(r'"(\w+)"', values))
        for name, values in re.findall(r"const (\w+) = \[(.*?)\]", text, re.DOTALL)
    }
    assert lists == {"PRE_ACTION": event_names.PRE_ACTION, "POST_ACTION": event_names.POST_ACTION}


def test_what_is_exported_is_declared() -> None:
    exported = set()
    for names in re.findall(r"export \{(.*?)\}", (SOURCE / "index.js").read_text(), re.DOTALL):
        exported |= {name.strip() for name in names.split(",") if name.strip()}
    declarations = (SOURCE / "index.d.ts").read_text()
    declared = set(
        re.findall(r"^export (?:class|function|const) (\w+)", declarations, re.MULTILINE)
    )
    assert declared == exported
