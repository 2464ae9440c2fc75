"""The page parameters of a query, the resulting page, and its `meta` object."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.protocol.forms import parse_query
from parlour.protocol.pages import (
    Page,
    PagePosition,
    PageRequest,
    PageTokens,
    fill_page,
    page_meta,
    parse_page_request,
    slice_page,
)
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

TOKENS = PageTokens(b"k" * 32)
PLACE = "AC1/IS1/Conversations/activity"
URL = "http://127.0.0.1:8000/v1/Conversations"
FIRST, LAST = (9, "CH" + "0" * 31 + "1"), (4, "CH" + "0" * 31 + "2")


def page_request(query: dict[str, list[str]]) -> PageRequest:
    """Return the page a query asks for in a list of 50, at most 100."""
    return parse_page_request(query, default=50, maximum=100, list_context=PLACE, tokens=TOKENS)


def described(
    request: PageRequest,
    page: Page[int],
    filters: list[tuple[str, str]] | None = None,
    positions: tuple[tuple[int | str, str], tuple[int | str, str]] | None = (FIRST, LAST),
) -> dict[str, int | str | None]:
    """Return the `meta` object of a page."""
    return page_meta(
        url=URL,
        filters=filters or [],
        request=request,
        page=page,
        key="conversations",
        positions=positions,
        tokens=TOKENS,
        list_context=PLACE,
    )


def test_an_empty_query_is_the_first_page() -> None:
    assert page_request({}) == PageRequest(0, 50, None)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("100", 100),
        ("101", 100),
        ("1000", 100),
        ("+7", 7),
        ("007", 7),
        ("9" * 8000, 100),
        ("99999999999", 100),
        ("1" + "0" * 30, 100),
        ("0" * 500 + "8", 8),
    ],
)
def test_a_page_size_is_lowered_to_the_maximum(text: str, size: int) -> None:
    assert page_request({"PageSize": ["3", text]}).size == size


@pytest.mark.parametrize("text", ["0", "000", "-1", "", "x", "1.5", " 1", "1\n", "\u0661", "1e1"])
def test_other_page_sizes_are_refused(text: str) -> None:
    with pytest.raises(ApiError, match=r"20001: Invalid PageSize\.") as caught:
        page_request({"PageSize": [text]})
    assert caught.value.status == 400


def test_a_page_alone_moves_nothing() -> None:
    assert page_request({"Page": ["3"]}) == PageRequest(3, 50, None)
    assert page_request({"Page": ["0"]}).page == 0
    assert page_request({"Page": [str(limits.PAGE_MAX)]}).page == limits.PAGE_MAX


@pytest.mark.parametrize("text", ["-1", "", "x", "1.0", str(limits.PAGE_MAX + 1), "9" * 5000])
def test_other_pages_are_refused(text: str) -> None:
    with pytest.raises(ApiError, match=r"20001: Invalid Page\."):
        page_request({"Page": [text]})


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("key", [0, -5, 2**62, "", "7", "ä/b", "CH" + "0" * 32])
def test_a_token_leads_to_its_position(key: int | str, *, backwards: bool) -> None:
    position = PagePosition(key, "CH" + "a" * 32, backwards=backwards)
    token = TOKENS.write(PLACE, position)
    assert token.startswith("PT" + position.sid + ".")
    assert page_request({"PageToken": [token]}).position == position
    assert page_request({"PageToken": [token]}).backwards is backwards


def test_a_token_is_invalid_in_another_list() -> None:
    token = TOKENS.write(PLACE, PagePosition(1, "CH1"))
    for list_context in ("", "AC2/IS1/Conversations/activity", PLACE + "CH1"):
        with pytest.raises(ApiError, match=r"Invalid PageToken\."):
            TOKENS.parse(list_context, token)


def test_a_token_of_another_key_is_refused() -> None:
    token = PageTokens(b"x" * 32).write(PLACE, PagePosition(1, "CH1"))
    with pytest.raises(ApiError, match=r"Invalid PageToken\."):
        TOKENS.parse(PLACE, token)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PT",
        "PTCH1",
        "PTCH1.",
        "PTCH1.A",
        "PTCH1.AAAA",
        "PTCH1." + "A" * 43,
        "PTCH1._w",
        "PTCH1.____________________",
        "PTCH1.ZmlhAAAAAAAAAAA",
        "ä",
        "PTCH1." + "A" * 3000,
    ],
)
def test_other_tokens_are_refused(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        page_request({"PageToken": [text]})
    assert (caught.value.code, caught.value.status) == (20001, 400)
    assert caught.value.message == "Invalid PageToken."


@given(st.data())
def test_no_changed_token_is_accepted(data: st.DataObject) -> None:
    token = TOKENS.write(PLACE, PagePosition(123, "CH" + "0" * 32))
    list_context = data.draw(st.integers(0, len(token) - 1))
    new = data.draw(
        st.characters(exclude_categories=["Cs"]).filter(lambda c: c != token[list_context])
    )
    with pytest.raises(ApiError, match=r"Invalid PageToken\."):
        TOKENS.parse(PLACE, token[:list_context] + new + token[list_context + 1 :])


@given(st.text())
def test_no_text_breaks_the_token_parser(text: str) -> None:
    with pytest.raises(ApiError, match=r"Invalid PageToken\."):
        TOKENS.parse(PLACE, f"PT{text}")


FORWARDS = PagePosition(*LAST)
BACKWARDS = PagePosition(*FIRST, backwards=True)


@pytest.mark.parametrize(
    ("position", "rows", "page"),
    [
        (None, [], Page([], has_previous=False, has_next=False)),
        (None, [1, 2], Page([1, 2], has_previous=False, has_next=False)),
        (None, [1, 2, 3], Page([1, 2], has_previous=False, has_next=True)),
        (FORWARDS, [5], Page([5], has_previous=True, has_next=False)),
        (FORWARDS, [5, 6, 7], Page([5, 6], has_previous=True, has_next=True)),
        (BACKWARDS, [4, 3], Page([3, 4], has_previous=False, has_next=True)),
        (BACKWARDS, [4, 3, 2], Page([3, 4], has_previous=True, has_next=True)),
        (BACKWARDS, [], Page([], has_previous=False, has_next=True)),
    ],
)
def test_a_page_is_cut(position: PagePosition | None, rows: list[int], page: Page[int]) -> None:
    assert slice_page(rows, PageRequest(0, 2, position)) == page


def test_meta_of_an_only_page() -> None:
    answer = described(PageRequest(0, 50, None), Page([1], has_previous=False, has_next=False))
    assert list(answer) == [
        "page",
        "page_size",
        "first_page_url",
        "previous_page_url",
        "url",
        "next_page_url",
        "key",
    ]
    assert answer == {
        "page": 0,
        "page_size": 50,
        "first_page_url": f"{URL}?PageSize=50&Page=0",
        "previous_page_url": None,
        "url": f"{URL}?PageSize=50&Page=0",
        "next_page_url": None,
        "key": "conversations",
    }


def test_meta_of_a_page_in_the_middle() -> None:
    request = PageRequest(2, 20, FORWARDS)
    answer = described(request, Page([1], has_previous=True, has_next=True))
    before = TOKENS.write(PLACE, PagePosition(*FIRST, backwards=True))
    after = TOKENS.write(PLACE, PagePosition(*LAST))
    assert answer["url"] == f"{URL}?PageSize=20&Page=2&PageToken={after}"
    assert answer["previous_page_url"] == f"{URL}?PageSize=20&Page=1&PageToken={before}"
    assert answer["next_page_url"] == f"{URL}?PageSize=20&Page=3&PageToken={after}"
    assert answer["first_page_url"] == f"{URL}?PageSize=20&Page=0"


def test_filters_come_first_and_are_escaped() -> None:
    filters = [("Address", "+375255555555"), ("Identity", "a b&c=ä/~")]
    page = Page([1], has_previous=False, has_next=False)
    answer = described(PageRequest(0, 50, None), page, filters)
    assert answer["url"] == (
        f"{URL}?Address=%2B375255555555&Identity=a%20b%26c%3D%C3%A4%2F~&PageSize=50&Page=0"
    )


def test_the_number_of_a_page_never_falls_below_zero() -> None:
    page = Page([1], has_previous=True, has_next=True)
    answer = described(PageRequest(0, 50, BACKWARDS), page)
    assert "&Page=0&PageToken=" in str(answer["previous_page_url"])


def test_an_empty_page_at_the_end_names_no_neighbours() -> None:
    page: Page[int] = Page([], has_previous=True, has_next=False)
    answer = described(PageRequest(1, 50, FORWARDS), page, positions=None)
    assert (answer["previous_page_url"], answer["next_page_url"]) == (None, None)


def test_an_empty_page_at_the_beginning_is_followed_by_the_first_rows() -> None:
    page: Page[int] = Page([], has_previous=False, has_next=True)
    answer = described(PageRequest(0, 50, BACKWARDS), page, positions=None)
    assert answer["next_page_url"] == f"{URL}?PageSize=50&Page=1"


def read(table: list[int], request: PageRequest) -> list[int]:
    """Read one row more than a page from an ordered list of keys, as a store does."""
    position = request.position
    if position is None:
        rows = table
    elif position.backwards:
        rows = [row for row in reversed(table) if row < int(position.key)]
    else:
        rows = [row for row in table if row > int(position.key)]
    return rows[: request.size + 1]


def follow(table: list[int], request: PageRequest) -> tuple[Page[int], dict[str, list[str]]]:
    """Return the page of a request, and the query of each neighbour."""
    page = slice_page(read(table, request), request)
    edges = ((page.rows[0], "CH1"), (page.rows[-1], "CH2")) if page.rows else None
    answer = described(request, page, positions=edges)
    links = {
        name: [str(url).partition("?")[2]]
        for name in ("previous_page_url", "next_page_url")
        if (url := answer[name]) is not None
    }
    return page, links


@given(st.sets(st.integers(-1000, 1000), max_size=30), st.integers(1, 8))
def test_the_pages_of_a_list_are_the_list_in_both_directions(keys: set[int], size: int) -> None:
    table = sorted(keys)
    page, links = follow(table, page_request({"PageSize": [str(size)]}))
    seen = list(page.rows)
    while "next_page_url" in links:
        page, links = follow(table, page_request(parse_query(links["next_page_url"][0].encode())))
        seen += page.rows
    assert seen == table
    back = list(page.rows)
    while "previous_page_url" in links:
        page, links = follow(
            table, page_request(parse_query(links["previous_page_url"][0].encode()))
        )
        back = page.rows + back
    assert back == table


ROWS = st.lists(st.integers(0, 120), max_size=70)
LARGEST = 128


def rendered(rows: list[int]) -> bytes:
    """Rows of different sizes: texts of so many characters."""
    return json.dumps(["x" * row for row in rows], separators=(",", ":")).encode()


@given(ROWS, st.integers(1, 60), st.integers(2, 4 * LARGEST), st.booleans())
def test_a_page_that_is_too_large_ends_early(
    rows: list[int], size: int, bytes_max: int, backwards: bool
) -> None:
    position = BACKWARDS if backwards else None
    request = PageRequest(0, size, position)
    read = rows[: size + 1]
    page, text = fill_page(read, request, rendered, bytes_max)
    count = len(page.rows)
    assert page == slice_page(read, request, count)
    assert text == rendered(page.rows)
    assert count >= min(1, len(read))
    assert len(text) <= bytes_max or count == 1
    if count < min(size, len(read)):
        assert page.has_previous if backwards else page.has_next
        one_more = slice_page(read, request, count + 1)
        assert len(rendered(one_more.rows)) > bytes_max


@given(st.sets(st.integers(0, 100), max_size=60), st.integers(1, 60), st.integers(2, 2000))
def test_pages_bounded_in_bytes_are_the_list_in_both_directions(
    keys: set[int], size: int, bytes_max: int
) -> None:
    table = sorted(keys)

    def turn(query: str, name: str) -> tuple[list[int], str | None]:
        request = page_request(parse_query(query.encode()))
        page, _ = fill_page(read(table, request), request, rendered, bytes_max)
        edges = ((page.rows[0], "CH1"), (page.rows[-1], "CH2")) if page.rows else None
        link = described(request, page, positions=edges)[name]
        return page.rows, None if link is None else str(link).partition("?")[2]

    def walk(query: str | None, name: str) -> tuple[list[list[int]], str]:
        walked, last = [], ""
        while query is not None:
            last = query
            rows, query = turn(query, name)
            walked.append(rows)
        return walked, last

    forwards, last = walk(f"PageSize={size}", "next_page_url")
    assert [row for rows in forwards for row in rows] == table
    backwards, _ = walk(last, "previous_page_url")
    assert [row for rows in reversed(backwards) for row in rows] == table
