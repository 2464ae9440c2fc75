"""Faults of carriers: the behaviour of a virtual phone towards single messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.resources.virtual_phones import store as virtual_phone_store
from parlour.testmode.faults.fault import CARRIER, NEVER, FaultRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.channels.carrier import OutboundMessage
    from parlour.testmode.faults.rules import FaultRules

# Codes of the API for messages that it does not pass to a carrier.
_REFUSED_CODES: Final = range(21000, 22000)


class CarrierFaults:
    """Changes the behaviour of virtual phones."""

    def __init__(self, rules: FaultRules) -> None:
        self._rules = rules

    def changes_of(self, message: OutboundMessage, recipient: str) -> Mapping[str, Any]:
        """Return the members of the phone that differ for this message."""
        fault = self._rules.take(
            CARRIER, message.account_sid, lambda rule: _matches(rule, message, recipient)
        )
        return {} if fault is None else _changes(fault.rule)


def _matches(rule: FaultRule, message: OutboundMessage, recipient: str) -> bool:
    return (
        (rule.sender is None or rule.sender == message.sender)
        and (rule.recipient is None or rule.recipient == recipient)
        and (rule.channel is None or rule.channel == message.channel)
    )


def _changes(rule: FaultRule) -> dict[str, Any]:
    changes: dict[str, Any] = {"delay_ms": rule.delay_ms} if rule.delay_ms else {}
    if rule.error is not None:
        changes["error_code"] = rule.error
        changes["behaviour"] = (
            virtual_phone_store.REJECT
            if rule.error in _REFUSED_CODES
            else virtual_phone_store.UNDELIVERABLE
        )
    if rule.receipts == NEVER:
        changes["behaviour"] = virtual_phone_store.SILENT
    elif rule.receipts is not None:
        changes["receipts"] = rule.receipts
    return changes
