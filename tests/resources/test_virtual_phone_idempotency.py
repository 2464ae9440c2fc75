"""``Idempotency-Key`` of messages that virtual phones send, over REST."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.settings_setup import new_account_api
from tests.resources.test_virtual_phone_messages import (
    CAT,
    MESSAGES,
    OWN,
    PHONE,
    bind,
    multipart,
    picture_server,
)
from tests.support.client import Api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.client import ApiResponse
    from tests.support.server import Server


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """An account with its phones, below Parlour's own version."""
    api = new_account_api(server)
    yield api.under("/parlour/v1")
    api.close()


def send(own: Api, key: str, **form: Any) -> ApiResponse:
    """Send a text under a key."""
    return own.post(MESSAGES, {"To": OWN} | form, headers={"Idempotency-Key": key})


def send_files(own: Api, key: str, *files: tuple[str, str, bytes], body: str = "A cat") -> Any:
    """Send files under a key."""
    form = multipart([("To", OWN), ("Body", body)], list(files))
    headers = form["headers"] | {"Idempotency-Key": key}
    return own.post(MESSAGES, body=form["body"], headers=headers)


def messages_of(own: Api, conversation_sid: str) -> list[Any]:
    path = f"/Conversations/{conversation_sid}/Messages"
    found: list[Any] = own.under("/v1").get(path).expect(200)["messages"]
    return found


def shown(own: Api) -> list[Any]:
    """Return what the phone shows."""
    found: list[Any] = own.get(MESSAGES).expect(200)["messages"]
    return found


def files_in(folder: Path) -> set[str]:
    return {each.name for each in folder.rglob("*") if each.is_file()}


def test_a_repeated_text_gets_the_first_response_and_is_one_message(own: Api) -> None:
    conversation_sid = bind(own, (PHONE, OWN))
    first = send(own, "again", Body="Hi")
    sent = first.expect(201)
    assert sent["conversation_sid"] == conversation_sid
    assert send(own, "again", Body="Hi").body == first.body
    assert shown(own) == [sent]
    assert [each["sid"] for each in messages_of(own, conversation_sid)] == [sent["message_sid"]]
    another = send(own, "another", Body="Hi").expect(201)
    assert shown(own) == [sent, another]


def test_another_text_under_the_key_is_refused_and_not_sent(own: Api) -> None:
    sent = send(own, "other", Body="Hi").expect(201)
    send(own, "other", Body="Hello").refuses(422, 20422)
    path = "/VirtualPhones/+15558675319/Messages"
    headers = {"Idempotency-Key": "other"}
    own.post(path, {"To": OWN, "Body": "Hi"}, headers=headers).refuses(422, 20422)
    assert shown(own) == [sent]


def test_repeated_files_are_one_message_and_leave_no_file(own: Api, server: Server) -> None:
    conversation_sid = bind(own, (PHONE, OWN))
    first = send_files(own, "cat", ("cat.png", "image/png", CAT))
    sent = first.expect(201)
    before = files_in(server.data_dir / "media")
    assert send_files(own, "cat", ("cat.png", "image/png", CAT)).body == first.body
    assert files_in(server.data_dir / "media") <= before
    assert shown(own) == [sent]
    (message,) = messages_of(own, conversation_sid)
    assert len(message["media"]) == 1


@pytest.mark.parametrize(
    "files",
    [
        (("cat.png", "image/png", CAT + b"!"),),
        (("dog.png", "image/png", CAT),),
        (("cat.png", "image/gif", CAT),),
        (("cat.png", "image/png", CAT), ("cat.png", "image/png", CAT)),
        (),
    ],
)
def test_other_files_under_the_key_are_refused_and_not_stored(
    own: Api, server: Server, files: tuple[tuple[str, str, bytes], ...]
) -> None:
    sent = send_files(own, "cat", ("cat.png", "image/png", CAT)).expect(201)
    before = files_in(server.data_dir / "media")
    send_files(own, "cat", *files).refuses(422, 20422)
    assert files_in(server.data_dir / "media") <= before
    assert shown(own) == [sent]


def test_files_with_another_text_are_refused(own: Api) -> None:
    send_files(own, "cat", ("cat.png", "image/png", CAT)).expect(201)
    send_files(own, "cat", ("cat.png", "image/png", CAT), body="A dog").refuses(422, 20422)


def test_a_repeated_message_with_a_media_url_is_not_fetched_again(own: Api) -> None:
    with picture_server() as url:
        first = send(own, "url", MediaUrl=f"{url}/cat.png")
        assert len(first.expect(201)["media"]) == 1
    # The server of the picture has ended.
    assert send(own, "url", MediaUrl=f"{url}/cat.png").body == first.body
    assert len(shown(own)) == 1


def test_a_refused_message_is_judged_again(own: Api) -> None:
    send(own, "refused", Body="x" * 1601).refuses(400, 20001)
    send(own, "refused", Body="now right").expect(201)
    assert len(shown(own)) == 1


def test_a_key_that_is_empty_or_too_long_is_refused(own: Api) -> None:
    send(own, "", Body="Hi").refuses(400, 20001)
    send(own, "k" * 257, Body="Hi").refuses(400, 20001)
    send(own, "k" * 256, Body="Hi").expect(201)


def test_concurrent_requests_with_one_key_send_one_message(own: Api) -> None:
    def send_alone(_: int) -> ApiResponse:
        one = Api(own.base_url, own.sid, own.token).under("/parlour/v1")
        try:
            return send(one, "at once", Body="Hi")
        finally:
            one.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send_alone, range(24)))
    good = [answer for answer in answers if answer.status == 201]
    assert good
    assert {answer.body for answer in good} == {send(own, "at once", Body="Hi").body}
    for answer in answers:
        if answer.status not in {201, 429}:
            answer.refuses(409, 20409)
    assert len(shown(own)) == 1
