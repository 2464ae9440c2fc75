"""The audit trail of the pipeline and of the dedicated endpoints."""

from __future__ import annotations

from typing import Final

from parlour.operations.audit import AuditTrail
from parlour.resources.console_audit.store import record_call

AUDIT_TRAIL: Final = AuditTrail(record_call)
