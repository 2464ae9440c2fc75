"""Names and SIDs of realtime objects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parlour.vocabulary import realtime_objects
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

digits = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(digits, st.sampled_from(ObjectKind))
def test_name_and_sid_identify_their_object(text: str, kind: ObjectKind) -> None:
    one = ObjectName(kind, kind.owner + text)
    assert realtime_objects.parse_name(one.unique_name) == one
    assert one in realtime_objects.candidates_for_sid(kind.type, one.sid)


@given(digits)
def test_the_maps_of_one_user_have_different_sids(text: str) -> None:
    maps = {
        ObjectName(kind, kind.owner + text).sid
        for kind in ObjectKind
        if kind.type == realtime_objects.MAP
    }
    assert len(maps) == 3


@given(st.text())
def test_an_invalid_name_has_no_object(text: str) -> None:
    found = realtime_objects.parse_name(text)
    assert found is None or found.unique_name == text


def test_other_spellings_are_invalid_names() -> None:
    sid = "CH" + "a" * 32
    assert realtime_objects.parse_name(f"{sid}.channel") is not None
    for text in (f"{sid.upper()}.channel", f"{sid}.info", f"{sid}.", sid, f"{sid}.channel.", "."):
        assert realtime_objects.parse_name(text) is None, text


def test_a_sid_of_another_type_has_no_objects() -> None:
    assert realtime_objects.candidates_for_sid(realtime_objects.MAP, "ET" + "0" * 32) == ()
    assert realtime_objects.candidates_for_sid(realtime_objects.DOCUMENT, "ET" + "0" * 31) == ()
    assert [
        each.kind
        for each in realtime_objects.candidates_for_sid(realtime_objects.LIST, "ES" + "0" * 32)
    ] == [ObjectKind.MESSAGES]
