"""The files of ``deploy/`` and the commands in the pages match the server."""

from __future__ import annotations

import configparser
import itertools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml

from parlour.cli.main import main
from parlour.config import NON_SETTING_VARIABLES, Settings, setting_descriptions
from parlour.http import open_files
from parlour.http.client_addresses import ClientAddresses
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*/*.md"))]
_VARIABLE = re.compile(r"\bPARLOUR_[A-Z_]+\b")
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
# Variables read by the compose file, by a test kit, or by a shell, and by no server.
OTHERS = {"PARLOUR_PASSWORD"} | NON_SETTING_VARIABLES


def _text(name: str) -> str:
    return (DEPLOY / name).read_text()


def _seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|m|h|)", text).groups()
    return int(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]


def _commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each of our commands in the pages, with the page."""
    for page in PAGES:
        for language, block in _BLOCK.findall(page.read_text()):
            if language not in {"", "sh"}:
                continue
            joined = block.replace("\\\n", " ")
            for line in joined.splitlines():
                for part in re.split(r"&&|\|\||[|;()]", line):
                    words = part.partition("#")[0].split() if _is_ours(part) else []
                    while words and "=" in words[0]:
                        words.pop(0)
                    if words[:1] == ["parlour"]:
                        yield page.name, words[1:]


def _is_ours(part: str) -> bool:
    return re.match(r"\s*(\w+=\S+ )*parlour\s", part) is not None


@pytest.mark.parametrize(
    "path",
    [*sorted(DEPLOY.iterdir()), *sorted((ROOT / "docs" / "how-to").glob("*.md"))],
    ids=lambda path: path.name,
)
def test_named_settings_exist(path: Path) -> None:
    known = {each.variable for each in setting_descriptions()} | OTHERS
    assert set(_VARIABLE.findall(path.read_text())) <= known


def test_commands_of_the_pages_have_the_shown_options() -> None:
    context = click.Context(main)
    seen = 0
    for page, words in _commands():
        command: click.Command | None = main
        inner = list(words)
        while isinstance(command, click.Group) and inner and not inner[0].startswith("-"):
            command = command.get_command(context, inner.pop(0))
            assert command is not None, f"{page}: parlour {' '.join(words)}"
        options = {each for parameter in command.params for each in parameter.opts}
        # What follows `--` belongs to another command.
        own = itertools.takewhile(lambda word: word != "--", inner)
        given = {word.partition("=")[0] for word in own if word.startswith("-") and len(word) > 1}
        assert given <= options | {"--help", "--version"}, f"{page}: parlour {' '.join(words)}"
        seen += 1
    assert seen > 15


def test_stop_timeouts_cover_the_servers_shutdown() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(_text("parlour.service"))
    assert int(unit["Service"]["TimeoutStopSec"]) > limits.DRAIN_SECONDS_MAX
    assert int(unit["Service"]["LimitNOFILE"]) >= open_files.open_files_needed(Settings())
    node = _compose()["services"]["parlour"]
    assert _seconds(node["stop_grace_period"]) > limits.DRAIN_SECONDS_MAX
    assert node["ulimits"]["nofile"] >= open_files.open_files_needed(Settings())


def _compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(_text("compose.yaml"))
    return found


def test_nodes_of_the_compose_file_trust_the_balancer() -> None:
    """Each container has a separate address: otherwise the balancer would be the client."""
    believed = _compose()["services"]["parlour"]["environment"]["PARLOUR_TRUSTED_PROXIES"]
    client_addresses = ClientAddresses(Settings(trusted_proxies=believed).trusted_proxies)
    # From the address pools of container networks.
    assert all(
        client_addresses.is_trusted(each) for each in ("172.18.0.5", "172.31.0.2", "192.168.16.3")
    )
    assert not client_addresses.is_trusted("203.0.113.7")


def test_compose_file_names_existing_files() -> None:
    services, volumes = _compose()["services"], _compose()["volumes"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in volumes or (DEPLOY / source).exists(), source
    build = services["parlour"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Containerfile")
    assert os.access(DEPLOY / "make-database.sh", os.X_OK)


def test_balancers_keep_pinged_sockets_open_and_accept_the_largest_media() -> None:
    for pattern, name in (
        (r"proxy_read_timeout (\w+);", "nginx.conf"),
        (r"timeout tunnel (\w+)", "haproxy.cfg"),
        (r"timeout server (\w+)", "haproxy.cfg"),
    ):
        (timeout,) = re.findall(pattern, _text(name))
        assert _seconds(timeout) > 2 * limits.PING_SECONDS
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", _text("nginx.conf"))
    assert int(megabytes) * limits.MEBIBYTE > limits.MEDIA_BYTES_MAX


def test_container_build_has_all_its_files() -> None:
    ignored = _text("Containerfile.dockerignore").splitlines()
    included = {line[1:] for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", _text("Containerfile"), re.MULTILINE)
    named = {name for line in copied for name in line.split()}
    assert named == included
    assert all((ROOT / name).exists() for name in named)
