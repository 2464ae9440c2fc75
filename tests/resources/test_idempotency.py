"""``Idempotency-Key``: the same key gets the same response, also after a crash."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.support.client import Api

if TYPE_CHECKING:
    from tests.support.client import ApiResponse
    from tests.support.server import Server


def _create(api: Api, key: str, **fields: str) -> ApiResponse:
    return api.post("/Conversations", headers={"Idempotency-Key": key}, **fields)


def test_a_repeated_request_gets_the_first_response(api: Api) -> None:
    first = _create(api, "again", FriendlyName="one")
    second = _create(api, "again", FriendlyName="one")
    assert first.expect(201) == second.expect(201)
    assert first.body == second.body


def test_another_body_is_refused(api: Api) -> None:
    _create(api, "other-body", FriendlyName="one").expect(201)
    _create(api, "other-body", FriendlyName="two").refuses(422, 20422)


def test_another_operation_may_use_the_key(api: Api) -> None:
    _create(api, "shared", FriendlyName="one").expect(201)
    headers = {"Idempotency-Key": "shared"}
    api.post("/Services", headers=headers, FriendlyName="one").expect(201)


def test_a_refused_request_is_judged_again(api: Api) -> None:
    _create(api, "refused", State="closed").refuses(400, 50384)
    _create(api, "refused", FriendlyName="now right").expect(201)


def test_another_account_may_use_the_key(api: Api, foreign_api: Api) -> None:
    own = _create(api, "two accounts", FriendlyName="one").expect(201)
    other = _create(foreign_api, "two accounts", FriendlyName="one").expect(201)
    assert own["sid"] != other["sid"]


def test_a_key_is_not_empty_nor_too_long(api: Api) -> None:
    _create(api, "").refuses(400, 20001)
    _create(api, "k" * 257).refuses(400, 20001)
    _create(api, "k" * 256).expect(201)


def test_without_a_key_each_request_is_executed(api: Api) -> None:
    one = api.post("/Conversations", FriendlyName="same").expect(201)
    two = api.post("/Conversations", FriendlyName="same").expect(201)
    assert one["sid"] != two["sid"]


def test_concurrent_creates_make_one(api: Api) -> None:
    def send(_: int) -> ApiResponse:
        one = Api(api.base_url, api.sid, api.token)
        try:
            return _create(one, "at once", UniqueName="idempotent-at-once")
        finally:
            one.close()

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(send, range(64)))
    good = [answer for answer in answers if answer.status == 201]
    assert good
    assert len({answer.body for answer in good}) == 1
    for answer in answers:
        if answer.status != 201:
            answer.refuses(409, 20409)


@pytest.mark.slow
def test_the_response_survives_a_crash(fresh_server: Server) -> None:
    api = Api(fresh_server.base_url, fresh_server.account_sid, fresh_server.auth_token)
    first = _create(api, "crash", UniqueName="once").expect(201)
    fresh_server.kill()
    fresh_server.restart()
    assert _create(api, "crash", UniqueName="once").expect(201) == first
    api.close()
