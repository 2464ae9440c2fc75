"""Parameters of the audit log: its filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers, timestamps
from parlour.resources.console_audit.store import AuditFilters
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

_name = parsers.text(limits.EVENT_FILTER_CHARS_MAX)


class ListAuditLines(Parameters):
    """Filters of the log, combined by AND. ``Principal``: the SID of a login or an operator."""

    account_sid: str | Unset = form_field("AccountSid", parsers.sid(sids.ACCOUNT))
    principal_name: str | Unset = form_field("Principal", _name)
    operation: str | Unset = form_field("Operation", _name)
    date_after: int | Unset = form_field("DateAfter", timestamps.timestamp())
    date_before: int | Unset = form_field("DateBefore", timestamps.timestamp())

    def filters(self) -> AuditFilters:
        """Return the filters of the store."""
        return AuditFilters(**self.given())
