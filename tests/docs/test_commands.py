"""Commands with their flags, SDK versions and contracts named in the pages exist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import click
import pytest

from parlour.cli.main import main
from tests.contract.sdk_runner import EVERY_VERSION
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCS = REPOSITORY / "docs"
PAGES = sorted([REPOSITORY / "README.md", *DOCS.rglob("*.md")])
BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")
# The ends of a command in a shell, and the words allowed before its name.
ENDS = re.compile(r"&&|\|\|?|;|\n|(?:^|\s)#.*")
NAME = re.compile(r"\s*(?:\w+=\S*\s+)*(?:\S*/)?parlour\s+(.+)")


class DocumentedCommand(NamedTuple):
    """A command in a page: its words and its flags."""

    words: tuple[str, ...]
    flags: tuple[str, ...]


def named(text: str) -> Iterator[DocumentedCommand]:
    """Yield every Parlour command line in the code of a page."""
    blocks = BLOCK.findall(text)
    inline = [" ".join(each.split()) for each in INLINE.findall(BLOCK.sub("", text))]
    for code in [*(each.replace("\\\n", " ") for each in blocks), *inline]:
        for line in map(NAME.match, ENDS.split(code)):
            # Words after "--" are of another command, which this one runs.
            words = line[1].partition(" -- ")[0].split() if line else [""]
            if words[0][:1].isalpha():
                first = next((at for at, word in enumerate(words) if word[0] == "-"), len(words))
                flags = (word.partition("=")[0] for word in words if word.startswith("--"))
                yield DocumentedCommand(tuple(words[:first]), tuple(flags))


def command_of(words: tuple[str, ...]) -> tuple[tuple[str, ...], click.Command] | None:
    """Return the command that the first words name, with these words."""
    found: click.Command = main
    for at, word in enumerate(words):
        if not isinstance(found, click.Group):
            return words[:at], found
        following = found.get_command(click.Context(found), word)
        if following is None:
            return None
        found = following
    return words, found


def faults(text: str) -> list[str]:
    """Return the wrong statements of a page about commands."""
    wrong = []
    for words, flags in named(text):
        found = command_of(words)
        if found is None:
            wrong.append(f"there is no command: parlour {' '.join(words)}")
            continue
        known = {"--help"} | {each for param in found[1].params for each in param.opts}
        wrong += [f"{' '.join(found[0])} has no {flag}" for flag in flags if flag not in known]
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_of_a_page_exist_with_their_flags(page: Path) -> None:
    assert faults(page.read_text(encoding="utf-8")) == []


def test_wrong_command_and_wrong_flag_are_reported() -> None:
    page = "`parlour move`\n```sh\nparlour serve --prot 1\nsystemctl restart parlour # now\n```\n"
    page += "```sh\nA=1 /opt/bin/parlour key create AC… \\\n  --nam x && parlour docto\n"
    page += "docker run --name parlour --publish 1 parlour\n"
    page += "parlour exec --sed x -- npm --silent test\n```\n"
    assert faults(page) == [
        "serve has no --prot",
        "key create has no --nam",
        "there is no command: parlour docto",
        "exec has no --sed",
        "there is no command: parlour move",
    ]


def test_the_move_names_its_command_before_the_start_on_postgresql() -> None:
    page = (DOCS / "how-to" / "move-to-postgresql.md").read_text(encoding="utf-8")
    steps = [words[0] for words, _ in named(page)]
    assert steps.index("backup") < steps.index("migrate-store") < steps.index("serve")


def test_programs_are_directed_to_hosts_of_the_table_only() -> None:
    page = (DOCS / "how-to" / "run-unchanged-programs.md").read_text(encoding="utf-8")
    hosts = re.findall(r"^\| `([\w.]+)`(?:, `([\w.]+)`)? \|", page, re.MULTILINE)
    table = {host for row in hosts for host in row if host}
    mapped = re.findall(r"MAP (\S+?):", page)
    names = re.findall(r"^127\.0\.0\.1 (.+)$", page, re.MULTILINE)
    assert mapped
    assert names
    assert {*mapped, *" ".join(names).split()} <= table


def test_documented_client_sdk_versions_are_the_tested_ones() -> None:
    page = (DOCS / "how-to" / "run-unchanged-programs.md").read_text(encoding="utf-8")
    *most, last = EVERY_VERSION
    assert f"works; the tests drive {', '.join(most)} and {last}," in page
    least, latest = (each.rpartition(".")[0] for each in (most[0], last))
    assert f"| `@twilio/conversations` | {least} to {latest} |" in page
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert f"Versions {least} to {latest} of the package work" in readme


def test_contracts_of_imports_that_a_decision_names_exist() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    decision = (DOCS / "decisions" / "0001-a-resource-is-a-folder.md").read_text(encoding="utf-8")
    assert "Two import-linter contracts" in decision
    contract = r"^# Decision 0001\..*\n\[\[tool\.importlinter\.contracts\]\]\nname = \"(\w+)"
    assert re.findall(contract, project, re.MULTILINE) == ["A", "Resources"]
