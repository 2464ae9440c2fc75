"""Identifiers of inbound messages: redeliveries are recognised, repeated texts are not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.smpp.redeliveries import RedeliveryIds, digest_of
from parlour.vocabulary import limits

PERIOD_MS = limits.SMS_REDELIVERY_SECONDS * 1000


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, PERIOD_MS))))
def test_an_identifier_changes_exactly_after_each_acknowledgement(
    events: list[tuple[str, bool, int]],
) -> None:
    ids = RedeliveryIds("token")
    now_ms = 0
    current: dict[str, str] = {}
    used: set[str] = set()
    for content, is_acknowledged, passed_ms in events:
        now_ms += passed_ms
        found = ids.find(content, now_ms)
        if content in current:
            assert found == current[content]
        else:
            assert found not in used
        current[content] = found
        used.add(found)
        if is_acknowledged:
            ids.acknowledge(content)
            del current[content]


def test_after_a_crash_the_first_identifier_of_a_period_is_the_same() -> None:
    before = RedeliveryIds("first").find("x", 1000)
    assert RedeliveryIds("second").find("x", PERIOD_MS - 1) == before
    assert RedeliveryIds("second").find("x", PERIOD_MS) != before


def test_the_memory_is_bounded_and_an_evicted_content_gets_a_unique_identifier() -> None:
    ids = RedeliveryIds("token", known_max=2)
    found = {}
    for content in "abc":
        found[content] = ids.find(content, 0)
        ids.acknowledge(content)
    # "a" was evicted; the same identifier would make a new message a redelivery.
    assert ids.find("a", 0) != found["a"]
    assert ids.find("a", 0) == ids.find("a", 0)
    assert ids.find("d", PERIOD_MS) == RedeliveryIds("other").find("d", PERIOD_MS)


def test_digests_depend_on_the_boundaries_of_fields() -> None:
    assert digest_of([b"ab", b"c"]) != digest_of([b"a", b"bc"])
    assert digest_of([b"ab", b"c"]) == digest_of([b"ab", b"c"])
