"""Pages of users, participants and conversations are bounded in bytes as those with messages.

The largest possible page of these is smaller than the limit of 4 MiB, so a server with a smaller
limit shows that it applies to these lists as well.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary import limits
from tests.support.client import Api
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAUNCH = str(Path(__file__).with_name("launch_with_limits.py"))
PAGE_BYTES_MAX = 256 * 1024
META_BYTES_MAX = 4096
COUNT = 45


def large_attributes(bytes_max: int) -> str:
    """Return the largest attributes, in which most characters take two bytes."""
    text = json.dumps({"k": "\\" * ((bytes_max - 10) // 2)})
    assert bytes_max - 10 < len(text) <= bytes_max
    return text


OF_USER = large_attributes(limits.USER_ATTRIBUTES_BYTES_MAX)
OF_PARTICIPANT = large_attributes(limits.PARTICIPANT_ATTRIBUTES_BYTES_MAX)
OF_CONVERSATION = large_attributes(limits.CONVERSATION_ATTRIBUTES_BYTES_MAX)


@pytest.fixture(scope="module")
def small_pages() -> Iterator[Server]:
    small = {"LIMITS": f"PAGE_BYTES_MAX={PAGE_BYTES_MAX}"}
    with Server(env=small, program=(LAUNCH,)) as running:
        yield running


def own_service(server: Server) -> Api:
    """Return a client of a new service, whose lists are empty."""
    api = Api(server.base_url, server.account_sid, server.auth_token)
    return api.service(api.post("/Services", FriendlyName="x").expect(201)["sid"])


def many_users(api: Api, count: int) -> tuple[str, list[str]]:
    """Create users; return the path of their list, and their sids."""
    made = [api.post("/Users", Identity=f"u{n}", Attributes=OF_USER) for n in range(count)]
    return "/Users", [each.expect(201)["sid"] for each in made]


def many_participants(api: Api, count: int) -> tuple[str, list[str]]:
    """Create participants; return the path of their list, and their sids."""
    path = f"/Conversations/{api.post('/Conversations').expect(201)['sid']}/Participants"
    made = [api.post(path, Identity=f"p{n}", Attributes=OF_PARTICIPANT) for n in range(count)]
    return path, [each.expect(201)["sid"] for each in made]


def many_conversations(api: Api, count: int) -> tuple[str, list[str]]:
    """Create conversations; return the path of their list, and their sids."""
    made = [api.post("/Conversations", Attributes=OF_CONVERSATION) for _ in range(count)]
    return "/Conversations", [each.expect(201)["sid"] for each in made]


def walk(api: Api, url: str, bytes_max: int, link: str) -> list[dict[str, Any]]:
    """Return the pages from this one on, and check their size."""
    pages = []
    following: str | None = url
    while following is not None:
        answer = api.get(following)
        pages.append(answer.expect(200))
        assert len(answer.body) <= bytes_max + META_BYTES_MAX
        following = pages[-1]["meta"][link]
    return pages


def sids_of(pages: list[dict[str, Any]]) -> list[str]:
    """Return the items of the pages in order."""
    return [each["sid"] for page in pages for each in page[page["meta"]["key"]]]


@pytest.mark.parametrize("make", [many_users, many_participants, many_conversations])
@pytest.mark.slow
def test_pages_of_large_rows_end_early_and_are_the_list_forwards_and_backwards(
    small_pages: Server, make: Callable[[Api, int], tuple[str, list[str]]]
) -> None:
    api = own_service(small_pages)
    path, made = make(api, COUNT)
    whole = sids_of([api.get(f"{path}?PageSize=5").expect(200)])
    assert len(whole) == 5, "A page of few rows has all of them."

    forwards = walk(api, f"{path}?PageSize=100", PAGE_BYTES_MAX, "next_page_url")

    assert len(forwards) > 1
    assert sorted(sids_of(forwards)) == sorted(made)
    assert sids_of(forwards)[:5] == whole
    sizes = [len(json.dumps(page)) for page in forwards[:-1]]
    assert min(sizes) > PAGE_BYTES_MAX * 0.7, "They end no sooner than they must."
    last = forwards[-1]["meta"]["url"]
    backwards = walk(api, last, PAGE_BYTES_MAX, "previous_page_url")
    assert sids_of(backwards[::-1]) == sids_of(forwards)


def test_a_page_of_users_as_large_as_they_can_be_is_below_the_bound(server: Server) -> None:
    api = own_service(server)
    path, made = many_users(api, limits.PAGE_SIZE_SMALL_MAX + 5)

    pages = walk(api, f"{path}?PageSize=100", limits.PAGE_BYTES_MAX, "next_page_url")

    assert [len(page["users"]) for page in pages] == [limits.PAGE_SIZE_SMALL_MAX, 5]
    assert sorted(sids_of(pages)) == sorted(made)
