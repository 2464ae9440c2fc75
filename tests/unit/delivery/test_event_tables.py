"""Every event has a realtime mapping or a written reason; every emitted name is defined."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import parlour
from parlour.realtime.changes import unmapped
from parlour.vocabulary import event_names

SOURCES = Path(parlour.__file__).parent


def test_every_event_has_a_realtime_mapping_or_a_reason() -> None:
    assert unmapped(event_names.ALL) == set()


def test_an_event_without_a_mapping_is_found() -> None:
    assert unmapped(event_names.ALL | {"onPollAdded"}) == {"onPollAdded"}
    assert unmapped(event_names.ALL - {event_names.ON_USER_ADDED}) == {event_names.ON_USER_ADDED}


def test_the_server_does_not_start_with_an_event_without_a_mapping() -> None:
    program = (
        "from parlour.vocabulary import event_names\n"
        "event_names.ALL = event_names.ALL | {'onPollAdded'}\n"
        "import parlour.realtime.changes\n"
    )
    made = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert made.returncode == 1
    assert "RuntimeError" in made.stderr
    assert "onPollAdded" in made.stderr


def _named_in_vocabulary() -> set[str]:
    """Return every event name that the vocabulary defines."""
    return {
        value
        for name, value in vars(event_names).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    }


def test_every_name_is_either_of_the_api_or_internal() -> None:
    assert _named_in_vocabulary() == set(event_names.ALL)
    assert not event_names.INTERNAL & event_names.FILTERS


def _emitted() -> list[tuple[str, ast.expr]]:
    """The second argument of every ``tx.emit``, with its place."""
    return [
        (f"{path.name}:{node.lineno}", node.args[1])
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "tx.emit"
    ]


def test_emitted_event_names_are_in_the_vocabulary() -> None:
    emitted = _emitted()
    literal = [place for place, name in emitted if isinstance(name, ast.Constant)]
    unknown = [
        place
        for place, name in emitted
        if isinstance(name, ast.Attribute)
        and getattr(event_names, name.attr, None) not in event_names.ALL
    ]
    assert len(emitted) > 20
    assert (literal, unknown) == ([], [])


# Who may write the rows that decide where webhooks go, and how their state before is recorded.
RECORDED = {
    "resources/scoped_webhooks/store.py": "records it by itself",
    "resources/webhook_configuration/store.py": "records it by itself",
    "resources/service_webhook_configuration/store.py": "records it by itself",
    "resources/conversation_removal/actions.py": "onConversationRemoved has them",
    "operations/purge.py": "waits until the intake has passed the deletion of the service",
}
_TABLE = r"(scoped_webhook|webhook_configuration|service_webhook_configuration)"
_WRITES = re.compile(
    rf"(INSERT INTO|UPDATE|DELETE FROM)\s+{_TABLE}\b|(\binsert|\bupdate|Table)\(\s*\"{_TABLE}\""
)


def test_every_change_of_webhook_settings_is_recorded_in_the_log() -> None:
    writing = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if _WRITES.search(path.read_text("utf-8"))
    }
    assert writing == set(RECORDED)
