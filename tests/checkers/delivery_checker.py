"""Comparison of event log and receiver: nothing lost, invented or out of order."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import closing
from typing import TYPE_CHECKING

from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.checkers.webhook_receiver import Line
    from tests.support.server import Server

Committed = dict[str, list[str]]
"""By conversation, the SIDs of its messages in commit order."""


def committed(server: Server) -> Committed:
    """Return the messages in the log that are due for webhooks."""
    found: Committed = defaultdict(list)
    with closing(connect(server)) as connection:
        rows = connection.execute(
            "SELECT conversation_sid, subject_sid FROM event"
            " WHERE name = 'onMessageAdded' AND fires = 1 ORDER BY sequence"
        )
        for conversation_sid, message_sid in rows:
            found[conversation_sid].append(message_sid)
    return dict(found)


def received(lines: Iterable[Line]) -> tuple[Committed, dict[str, set[str]], Counter[str]]:
    """Return first receptions by conversation, the tokens of each message, and its count."""
    first: Committed = defaultdict(list)
    tokens: dict[str, set[str]] = defaultdict(set)
    times: Counter[str] = Counter()
    for line in lines:
        sid = line.parameters["MessageSid"]
        if sid not in times:
            first[line.parameters["ConversationSid"]].append(sid)
        tokens[sid].add(line.token)
        times[sid] += 1
    return dict(first), dict(tokens), times


def is_complete(log: Committed, lines: Iterable[Line]) -> bool:
    """Return whether all committed messages have been received."""
    first = received(lines)[0]
    return all(set(sids) <= set(first.get(name, ())) for name, sids in log.items())


def differences(log: Committed, lines: list[Line]) -> list[str]:
    """Return a message for each violation."""
    first, tokens, _ = received(lines)
    known = {sid for sids in log.values() for sid in sids}
    found = []
    for name, sids in log.items():
        got = first.get(name, [])
        lost = [sid for sid in sids if sid not in set(got)]
        found += [f"lost: {sid} of {name} was never received" for sid in lost]
        if [sid for sid in sids if sid not in set(lost)] != [sid for sid in got if sid in known]:
            found.append(f"disorder: {name} was not delivered in the order of commits")
    found += [f"made up: {sid} was received and never committed" for sid in tokens.keys() - known]
    found += [
        f"not recognisable: {sid} came under {len(each)} tokens"
        for sid, each in tokens.items()
        if len(each) > 1
    ]
    return found


def duplicates(lines: Iterable[Line]) -> int:
    """Return the number of duplicate deliveries."""
    return sum(times - 1 for times in received(lines)[2].values())
