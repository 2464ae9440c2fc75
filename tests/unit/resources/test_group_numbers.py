"""Which numbers can be in a group: long codes of the United States and Canada."""

from __future__ import annotations

import pytest

from parlour.resources.participants.groups import may_be_in_group

# By country: area codes of +1 outside the United States and Canada, and toll-free ones.
EXCLUDED = {
    "Bahamas": "242",
    "Barbados": "246",
    "Anguilla": "264",
    "Antigua and Barbuda": "268",
    "British Virgin Islands": "284",
    "US Virgin Islands": "340",
    "Cayman Islands": "345",
    "Bermuda": "441",
    "Grenada": "473",
    "Turks and Caicos Islands": "649",
    "Jamaica": "658 876",
    "Montserrat": "664",
    "Northern Mariana Islands": "670",
    "Guam": "671",
    "American Samoa": "684",
    "Sint Maarten": "721",
    "Saint Lucia": "758",
    "Dominica": "767",
    "Saint Vincent": "784",
    "Puerto Rico": "787 939",
    "Dominican Republic": "809 829 849",
    "Trinidad and Tobago": "868",
    "Saint Kitts and Nevis": "869",
    "toll-free": "800 833 844 855 866 877 888",
}
CODES = {code for codes in EXCLUDED.values() for code in codes.split()}


@pytest.mark.channel("C10")
def test_all_area_codes_are_in_groups_but_those_of_other_countries_and_toll_free_ones() -> None:
    refused = {str(code) for code in range(200, 1000) if not may_be_in_group(f"+1{code}5550100")}
    assert refused == CODES


@pytest.mark.channel("C10")
@pytest.mark.parametrize(
    "number",
    [
        "+4915112345678",
        "+11235550100",
        "+12131550100",
        "+1213555010",
        "+121355501000",
        "12135550100",
        "12345",
        "whatsapp:+12135550100",
    ],
)
def test_other_numbers_are_not_in_groups(number: str) -> None:
    assert not may_be_in_group(number)
