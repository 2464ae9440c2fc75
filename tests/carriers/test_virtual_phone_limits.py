"""The limits of phones, messages and bytes: the oldest make room, with their media."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from parlour.resources.virtual_phones import store as virtual_phone_store
from parlour.store.blobs import BlobKey
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope
from tests.carriers.virtual_carrier_setup import CONTENT, PHONE, PICTURE, run_scene, text_to
from tests.events.in_process_server import ACCOUNT_SID

if TYPE_CHECKING:
    from pathlib import Path

    from tests.carriers.virtual_carrier_setup import PhoneScene

OTHER = "+15558675311"


def sid(number: int) -> str:
    return f"SM{number:032}"


async def used_bytes(scene: PhoneScene) -> tuple[int, int]:
    """Return the counted phones and bytes of the account."""
    scope = Scope(ACCOUNT_SID)
    usage = await scene.instance.store.read(lambda tx: virtual_phone_store.get_usage(tx, scope))
    return usage.phones, usage.bytes


async def has_file(scene: PhoneScene, media_sid: str) -> bool:
    """Run the scheduler until nothing is due, and return whether a file exists."""
    while await scene.instance.app.scheduler.run_due() == scene.clock.now_ms():
        pass
    blob = await scene.instance.app.blobs.open(BlobKey(ACCOUNT_SID, media_sid))
    if blob is not None:
        await blob.close()
    return blob is not None


def test_a_new_phone_replaces_the_one_that_was_quiet_longest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "VIRTUAL_PHONES_PER_ACCOUNT_MAX", 2)

    async def play(scene: PhoneScene) -> None:
        await scene.deliver(text_to(PHONE, media=(PICTURE,)))
        [medium] = json.loads((await scene.inbox(PHONE))[0].media)
        await scene.deliver(text_to(OTHER))
        # Its behaviour is changed, so the first phone is not the quietest one.
        await scene.change(PHONE, DelayMs="1")
        await scene.deliver(text_to("+15558675312"))
        assert await scene.inbox(OTHER) == []
        with pytest.raises(ApiError):
            await scene.instance.do("FetchVirtualPhone", Address=OTHER)
        assert len(await scene.inbox(PHONE)) == 1
        assert await used_bytes(scene) == (2, len(CONTENT) + 2 * len("Hello"))
        await scene.deliver(text_to(OTHER))
        assert await scene.inbox(PHONE) == []
        assert not await has_file(scene, medium["sid"])
        assert await used_bytes(scene) == (2, 2 * len("Hello"))

    run_scene(tmp_path, play)


def test_the_oldest_messages_of_a_phone_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "VIRTUAL_PHONE_MESSAGES_MAX", 3)

    async def play(scene: PhoneScene) -> None:
        await scene.deliver(text_to(OTHER))
        for number in range(5):
            await scene.deliver(text_to(PHONE, reference=sid(number), body=str(number)))
        assert [each.body for each in await scene.inbox(PHONE)] == ["2", "3", "4"]
        assert len(await scene.inbox(OTHER)) == 1
        assert await used_bytes(scene) == (2, 3 + len("Hello"))

    run_scene(tmp_path, play)


def test_held_messages_count_towards_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "VIRTUAL_PHONE_MESSAGES_MAX", 2)

    async def play(scene: PhoneScene) -> None:
        await scene.set(PHONE, Behaviour="off")
        for number in range(3):
            await scene.deliver(text_to(PHONE, reference=sid(number), body=str(number)))
        await scene.change(PHONE, Behaviour="deliver")
        assert [each.body for each in await scene.inbox(PHONE)] == ["1", "2"]

    run_scene(tmp_path, play)


def test_the_oldest_messages_of_the_account_make_room_for_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(CONTENT)
    monkeypatch.setattr(limits, "VIRTUAL_PHONE_BYTES_PER_ACCOUNT_MAX", 3 * size)

    async def play(scene: PhoneScene) -> None:
        media = []
        for number, address in enumerate((PHONE, OTHER, PHONE, OTHER)):
            message = text_to(address, reference=sid(number), body=None, media=(PICTURE,))
            await scene.deliver(message)
            media.append(json.loads((await scene.inbox(address))[-1].media)[0]["sid"])
        assert [each.sid for each in await scene.inbox(PHONE)] == [sid(2)]
        assert [each.sid for each in await scene.inbox(OTHER)] == [sid(1), sid(3)]
        assert [await has_file(scene, each) for each in media] == [False, True, True, True]
        assert await used_bytes(scene) == (2, 3 * size)
        # A text of one byte needs the next medium's room.
        await scene.deliver(text_to(PHONE, reference=sid(4), body="x"))
        assert await used_bytes(scene) == (2, 2 * size + 1)

    run_scene(tmp_path, play)
