"""What a virtual phone reports about a message that it gets.

=============  ================  ==========================================
behaviour      in the inbox      reports, each ``delay_ms`` after the previous
=============  ================  ==========================================
deliver        at once           delivered; read, if the phone reads
undeliverable  never             undelivered, with the phone's error code
reject         never             none: the submission is rejected
``silent``     at once           none
off            once switched on  as the next behaviour, from then on
=============  ================  ==========================================

``receipts`` changes the order: duplicate sends each report twice; early sends the first before the
carrier accepts the submission, without a delay; reversed sends a late ``sent`` after the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from parlour.protocol import addresses
from parlour.resources.virtual_phones import store as virtual_phone_store

if TYPE_CHECKING:
    from parlour.resources.virtual_phones.store import VirtualPhone

Status = Literal["sent", "delivered", "read", "undelivered"]

READ_CHANNELS: Final = frozenset({addresses.WHATSAPP, addresses.RCS})
"""Channels that report that a message was read."""
_ERROR_CODES: Final = {addresses.WHATSAPP: 63024}
_UNKNOWN_HANDSET: Final = 30005


class PlannedReport(NamedTuple):
    """A report, and when it follows the acceptance. ``is_early``: it precedes the acceptance."""

    status: Status
    error_code: int
    delay_ms: int
    is_early: bool = False


def error_code_of(phone: VirtualPhone) -> int:
    """Return the code of messages that the phone does not get."""
    return phone.error_code or _ERROR_CODES.get(phone.channel, _UNKNOWN_HANDSET)


def takes_messages(behaviour: str) -> bool:
    """Return whether messages reach the inbox, now or once the phone is switched on."""
    return behaviour not in {virtual_phone_store.UNDELIVERABLE, virtual_phone_store.REJECT}


def reads_at_once(phone: VirtualPhone) -> bool:
    """Return whether the phone reads what it gets."""
    return bool(phone.reads) and phone.channel in READ_CHANNELS


def planned_reports(phone: VirtualPhone) -> list[PlannedReport]:
    """Return the reports about one message, in order."""
    code = 0
    if phone.behaviour == virtual_phone_store.DELIVER:
        statuses: list[Status] = ["delivered", "read"] if reads_at_once(phone) else ["delivered"]
    elif takes_messages(phone.behaviour):
        return []
    else:
        # A member of a group cannot reject the submission for the others.
        statuses, code = ["undelivered"], error_code_of(phone)
    if phone.receipts == virtual_phone_store.REVERSED:
        statuses.insert(1, "sent")
    is_early = phone.receipts == virtual_phone_store.EARLY
    planned = [
        PlannedReport(
            status,
            code if status == "undelivered" else 0,
            0 if is_early and number == 1 else phone.delay_ms * number,
            is_early and number == 1,
        )
        for number, status in enumerate(statuses, 1)
    ]
    times = 2 if phone.receipts == virtual_phone_store.DUPLICATE else 1
    return [each for each in planned for _ in range(times)]
