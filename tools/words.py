"""The words that the project's comments, docstrings and pages avoid, and the terms they prefer.

Both lists are regular expressions, matched at word boundaries in any case. ``AVOIDED`` was found by
reading the project's own text: words that are correct English but have to be translated into a term
of the field before a reader understands it. ``STANDARD`` holds the terms themselves.

The standard list leaves out the nouns of the API and of HTTP (request, connection, transaction,
message, event, token, row) and the ``Return`` of a docstring: they were frequent before, and
counting them would reach any target without a better text.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple


class Avoided(NamedTuple):
    """A word or phrase to replace."""

    name: str
    pattern: str
    instead: str
    """The suggested replacement."""


class Standard(NamedTuple):
    """A term of the field with all its forms."""

    name: str
    pattern: str


def _avoided(table: str) -> tuple[Avoided, ...]:
    """Read a table of lines ``name | pattern | replacement``."""
    rows = (line.split(" | ") for line in table.strip().splitlines())
    longer = {"<what>": _WHAT, "<who>": _WHO}
    return tuple(
        Avoided(name, name if pattern == "=" else longer.get(pattern, pattern), instead)
        for name, pattern, instead in rows
    )


def _standard(table: str) -> tuple[Standard, ...]:
    """Read a table of lines ``name: pattern``."""
    rows = (line.split(": ", 1) for line in table.strip().splitlines())
    return tuple(Standard(name, pattern) for name, pattern in rows)


# `What is ...?` is a question, and no relative clause without a noun.
_WHAT = r"what (?:is|was|were|are|has|have|had|will|must|may|can)(?![^.;:]*\?)"
_WHO = (
    r"who (?:waits?|asks?|leads?|acts?|answers?|listens?|wants?|reads?|writes?|sends?|calls?|takes?"
    r"|hears?|serves?|follows?)"
)

# The columns are separated by " | "; alternatives in a pattern have no spaces around the bar, and
# "=" repeats the name.
AVOIDED = _avoided(r"""
said | = | given, sent, declared; the form's field
say | says?|saying | return, state, name, mean, set
told | = | notified, published, passed
tell | tells?|telling | notify, publish, report, distinguish
hear | hears?|heard|hearing | receive, match, be notified of
news | = | events, notifications, updates
whoever | = | the caller, the owner, any client that
whatever | = | any, every, regardless of
nobody | = | no client, no consumer, no process
somebody | = | a client, a consumer, another process
everybody | = | all clients, every participant
anybody | = | any client, a subscriber
people | = | users, operators, participants
kept | = | stored, cached, retained, preserved
anew | anew|afresh | again, from the start
noted | (?:un)?noted|noter | recorded, unrecorded, result writer
note it | notes? (?:the|a|an|whether|what|who|when|how) | record, store
look at | look(?:s|ed|ing)? at|looker | read, check, poll, poller
a look | (?:a|the|next|two|its|every) looks? | a poll, a read, a check
look-up | look-ups? | lookup
doubt | doubt(?:s|ed|ful)? | unknown outcome
that of | (?:that|those) of | repeat the noun
what came of | what (?:came|comes|come|became|becomes|become) of | result, outcome
what is | <what> | a noun: the settings, the remainder, the result
who waits | <who> | the component: waiter, leader, reader
goes on | (?:go|goes|went|going|gone) on | continues, resumes, proceeds
begun | begun|began | started
has it | (?:has|have|had) it | contains, owns, holds
stands | stands?|stood|standing | is stored, is defined, represents
beside | besides? | next to, alongside, in addition to
meanwhile | = | in the meantime, concurrently
now and then | = | periodically
for ever | = | indefinitely
once more | = | again
in work | = | in flight, in progress
on its way | on (?:its|their|the) way | in flight, in transit
in mind | = | in memory, as state
silent | = | unresponsive, without a heartbeat
of its own | of (?:its|their) own|by (?:itself|themselves) | separate, dedicated, automatic
believed | believed? | trusted, accepted
calm | = | idle, below the limit
remember | remember(?:s|ed|ing)? | cache, store
forget | forget(?:s|ting)?|forgotten|forgot | evict, discard, remove
figures | figures? | metrics, numbers
worth | = | a warning; worthwhile -> state the cost
deed | deeds? | operation, action
house | house|teeth|crowd | server, planted faults, many clients
nothing of | nothing (?:of|to) | none of, no bytes, no
wants | wants?|wanted | requests, needs, asks for
gone | (?:is|are|has|have|was|had|be) gone | deleted, closed, disconnected, expired
piece | pieces? | chunk, part
pause | pauses? | interval, delay, backoff
hand over | hand(?:s|ed|ing)? (?:over|out|to|it|them)|hand-over | pass, deliver
lies | lies?|lay | is, is located
a while | a while|for (?:so )?long | state the time or the limit
vouch | vouch\w* | sign, certify
sentence | sentences? | message, text, statement
good-bye | = | close frame
amid | = | during, in the middle of
an answer | (?:an|the|its) answers? | response, reply, result
""")

STANDARD = _standard(r"""
cache: (?:un)?cach(?:e[sd]?|ing)
retry: retr(?:y|ies|ied|ying)
timeout: time-?outs?|tim(?:es|ed|ing) out
queue: (?:de|en)?queue[sd]?|(?:en)?queu(?:e?ing)
lock: (?:un)?lock(?:s|ed|ing)?
batch: batch(?:es|ed|ing)?
rollback: rollbacks?|roll(?:s|ed|ing)? back
cursor: cursors?
handler: (?:event |error )?handlers?
returns: returns|returned
response: responses?
commit: commit(?:s|ted|ting)?
buffer: buffer(?:s|ed|ing)?
callback: callbacks?
lease: leases?
poll: poll(?:s|ed|ing|ers?)?
backoff: back-?off
TTL: ttls?|time[- ]to[- ]live
idempotent: idempoten\w+
payload: payloads?
snapshot: snapshots?
backpressure: back-?pressure
dead letter: dead[- ]letter\w*
dry run: dry[- ]run(?:s|ning)?
advisory lock: advisory
high-water mark: (?:high|low)[- ]water\w*|watermarks?
consumer: consumers?
producer: producers?
publish: publish(?:e[sd]|ing|ers?)?
subscribe: (?:un)?subscri(?:be[sd]?|bing|bers?|ptions?)
emit: emit(?:s|ted|ting)?
notify: notif(?:y|ies|ied|ying)
reject: reject(?:s|ed|ing|ions?)?
throttle: throttl\w+
rate limit: rate[- ]limit\w*
evict: evict\w*
expire: expir\w+
checkpoint: checkpoint\w*
savepoint: savepoints?
isolation: isolation(?: level)?
deadlock: deadlock\w*
serialize: (?:de)?seriali[sz]\w+
validate: (?:in)?validat\w+
fallback: fall(?:s|ing)? ?back
concurrent: concurren\w+
asynchronous: async|asynchronous\w*
task: tasks?
semaphore: semaphores?
shutdown: shut(?:s|ting)?[ -]?down
startup: start-?up
cancel: cancel\w*
acquire: acquir(?:e[sd]?|ing)
release: releas(?:e[sd]?|ing)
flush: flush\w*
round trip: round[- ]trips?
race condition: rac(?:es?|ed|ing)(?: conditions?)?
atomic: atomic\w*
in flight: in[- ]flight|inflight
fan-out: fan(?:s|ned)?[- ]?out
resync: re-?sync\w*
jitter: jitter\w*
latency: latenc\w+
throughput: throughput
heartbeat: heartbeats?|keep-?alive
transition: (?:state )?transitions?
state machine: state machines?
invariant: invariants?
timestamp: time-?stamps?
overflow: overflow\w*
truncate: truncat\w+
deduplicate: duplicat\w+|de-?duplicat\w+
retention: retention
lookup: lookups?
offset: offsets?
garbage collection: garbage[- ]collect\w+
orphan: orphan\w*
hash: hash(?:e[sd]|ing)?
append-only: append(?:s|ed|ing)?(?:-only)?
constraint: constraints?
upsert: upserts?
prefetch: pre-?fetch\w*
""")


def _joined(patterns: list[str]) -> re.Pattern[str]:
    """One expression with a group for each pattern, in order; earlier ones win."""
    groups = "|".join(f"(?P<g{number}>{pattern})" for number, pattern in enumerate(patterns))
    return re.compile(rf"(?<![\w-])(?:{groups})(?![\w-])", re.IGNORECASE)


AVOIDED_IN_NAMES = frozenset(
    """
    afresh anew anybody crowd deed deeds doubt doubts everybody forgets forgetting forgot hear heard
    hearing hears house looker manifold meanwhile news nobody noted people rehearsal rehearse
    remember remembered remembering remembers said say says somebody straggler stragglers talk talks
    teeth tell tells told whatever whoever
    """.split()
)
"""Words that no name contains: each of them has a term of the field."""

_AVOIDED = _joined([each.pattern for each in AVOIDED])
_STANDARD = _joined([each.pattern for each in STANDARD])
_WORD = re.compile(r"[a-z][a-z'-]*", re.IGNORECASE)


class Hit(NamedTuple):
    """An avoided word in a text."""

    at: int
    text: str
    avoided: Avoided


def avoided_in(text: str) -> list[Hit]:
    """Return the avoided words of a text, in order; no character belongs to two of them."""
    return [
        Hit(found.start(), found.group(), AVOIDED[int((found.lastgroup or "g0")[1:])])
        for found in _AVOIDED.finditer(text)
    ]


def standard_in(text: str) -> Counter[str]:
    """Return how often each standard term occurs in a text."""
    return Counter(
        STANDARD[int((found.lastgroup or "g0")[1:])].name for found in _STANDARD.finditer(text)
    )


def words_in(text: str) -> int:
    """Return the number of words of a text."""
    return len(_WORD.findall(text))
