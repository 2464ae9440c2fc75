"""The audit trail of the pipeline and of the dedicated endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.audit import AuditTrail
from parlour.resources.console_audit.store import record_call

if TYPE_CHECKING:
    from parlour.vocabulary.clock import Clock


def make_audit_trail(clock: Clock) -> AuditTrail:
    """Return the audit trail of a server."""
    return AuditTrail(record_call, clock.monotonic_ms)
