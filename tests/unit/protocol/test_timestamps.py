"""Timestamps in parameters and in responses."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parlour.protocol import timestamps
from parlour.vocabulary.errors import ApiError

PARSE = timestamps.timestamp(50308)
FIRST_MS = -62_135_596_800_000
LAST_MS = 253_402_300_799_000


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2025-05-04T09:42:00Z", "2025-05-04T09:42:00Z"),
        ("2023-05-04T09:42:00+00:00", "2023-05-04T09:42:00Z"),
        ("2023-05-04T09:42:00 00:00", "2023-05-04T09:42:00Z"),
        ("2023-05-04T09:42:00 05:30", "2023-05-04T04:12:00Z"),
        ("2023-05-04T01:42:00+02:00", "2023-05-03T23:42:00Z"),
        ("2023-05-04T22:42:00-0230", "2023-05-05T01:12:00Z"),
        ("2023-05-04T09:42:00.999999Z", "2023-05-04T09:42:00Z"),
        ("2023-05-04T09:42:00,5+01:00", "2023-05-04T08:42:00Z"),
        ("1969-12-31T23:59:59.900Z", "1969-12-31T23:59:59Z"),
        ("2024-02-29", "2024-02-29T00:00:00Z"),
        ("0001-01-01", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_a_date_is_read_as_utc_in_whole_seconds(text: str, written: str) -> None:
    assert timestamps.format_date(PARSE("DateCreated", text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1683193320",
        "2023",
        "2023-05",
        "20230504",
        "20230504T094200Z",
        "2023-5-4",
        "2023-02-29",
        "2023-13-01",
        "2023-00-01",
        "0000-01-01",
        "10000-01-01",
        "2023-05-04T",
        "2023-05-04Z",
        "2023-05-04T09:42Z",
        "2023-05-04T09:42:00",
        "2023-05-04 09:42:00Z",
        "2023-05-04t09:42:00z",
        "2023-05-04T24:00:00Z",
        "2023-05-04T09:60:00Z",
        "2023-05-04T09:42:60Z",
        "2023-05-04T09:42:00.Z",
        "2023-05-04T09:42:00." + "1" * 31 + "Z",
        "2023-05-04T09:42:00+24:00",
        "2023-05-04T09:42:00+00:60",
        "2023-05-04T09:42:00+1:00",
        "2023-05-04T09:42:00+01",
        "2023-05-04T09:42:00Z ",
        "2023-05-04T09:42:00Z\n",
        "\u0662023-05-04T09:42:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "null",
    ],
)
def test_other_dates_are_refused(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        PARSE("DateCreated", text)
    assert caught.value.code == 50308


def test_a_refused_date_may_have_no_code_of_its_own() -> None:
    with pytest.raises(ApiError, match=r"20001: Invalid StartDate\."):
        timestamps.timestamp()("StartDate", "yesterday")


@given(st.integers(FIRST_MS, LAST_MS))
@example(FIRST_MS)
@example(LAST_MS)
def test_a_written_timestamp_is_read_back(ms: int) -> None:
    written = timestamps.format_date(ms)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", written)
    assert PARSE("DateCreated", written) == ms // 1000 * 1000
    fraction = timestamps.format_date_ms(ms)
    assert fraction == f"{written[:-1]}.{ms % 1000:03}Z"
    assert PARSE("DateCreated", fraction) == ms // 1000 * 1000


@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)),  # noqa: DTZ001
    st.integers(-1439, 1439),
)
def test_every_offset_leads_to_the_same_moment(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    seconds = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    assert PARSE("DateCreated", aware.isoformat()) == seconds * 1000


def test_milliseconds_are_written_with_three_digits() -> None:
    assert timestamps.format_date_ms(7) == "1970-01-01T00:00:00.007Z"
    assert timestamps.format_date_ms(-1) == "1969-12-31T23:59:59.999Z"
