"""Each statement of the documentation such as "is answered with 429" has a test that names it."""

from __future__ import annotations

import pytest

from tests.docs.promises import (
    BOUNDS_PAGE,
    NO_PROMISES,
    PromisedStatement,
    Proof,
    proofs,
    proofs_of,
    statements,
    statements_of,
)
from tests.docs.promises import DOCS as PAGES


def unproven(
    promised: frozenset[PromisedStatement], shown: tuple[Proof, ...]
) -> list[PromisedStatement]:
    """Return the statements that no mark names."""
    return sorted(each for each in promised if not any(proof.shows(each) for proof in shown))


def test_each_promise_has_a_test_that_names_it() -> None:
    missing = unproven(statements(), proofs())
    assert not missing, "mark a test with pytest.mark.promise, see tests/docs/promises.py:\n" + (
        "\n".join(map(str, missing))
    )


def test_each_mark_names_a_promise() -> None:
    idle = [proof for proof in proofs() if not any(map(proof.shows, statements()))]
    assert not idle, idle


def test_exceptions_occur_on_their_pages() -> None:
    for page, words in NO_PROMISES.items():
        assert words in " ".join((PAGES / page).read_text().split()), page


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A late body is answered with 408.", {408}),
        ("A late body is\nanswered with status 408, and", {408}),
        ("It answers 404. A forged one answers 403,\ncode 20403", {404, 403}),
        ("It is refused with 50453.", {50453}),
        ("is refused: 50347 for a conversation", {50347}),
        ("answered with a prepared 401, without", {401}),
        ("| `A_MAX` | 5 | The next one is answered with 503. |", {503}),
        ("answers of a kilobyte are 100 Mbit", set()),
        ("answered within 500 ms", set()),
        ("The answer, 201, is the record", {201}),
    ],
)
def test_statements_are_found(text: str, found: set[int]) -> None:
    assert {each.number for each in statements_of("page.md", text)} == found


def test_the_last_cell_of_a_bound_is_a_promise() -> None:
    row = "| `A_MAX` | 503 ms | The next 502. | 429 over a share, else 503; after 500 ms, 20429 |"
    assert {(each.place, each.number) for each in statements_of(BOUNDS_PAGE, row)} == {
        ("A_MAX", 429),
        ("A_MAX", 503),
    }


def test_a_new_statement_without_a_mark_is_reported() -> None:
    page = "One answers 404. Another one answers 404 as well.\n| `A_MAX` | is answered with 503. |"
    marked = (
        "@pytest.mark.promise('page.md', 'One answers 404')\ndef test_it(): ...\n"
        "@pytest.mark.promise('A_MAX', 429)\ndef test_other(): ...\n"
    )
    missing = unproven(frozenset(statements_of("page.md", page)), tuple(proofs_of("t.py", marked)))
    assert [(each.place, each.number) for each in missing] == [("A_MAX", 503), ("page.md", 404)]
    assert missing[1].words.endswith("Another one answers 404")
