"""The operation of the audit log, for operators."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, list_
from parlour.resources.console_audit import actions as console_audit_actions
from parlour.resources.console_audit import parameters as console_audit_parameters
from parlour.resources.console_audit import representation as console_audit_representation
from parlour.vocabulary import limits

OPERATOR_AUDIT = Collection(
    noun="OperatorAudit",
    version="/parlour/v1",
    path="/Operator/Audit",
    url_forms=ACCOUNT_ONLY,
    represent=console_audit_representation.resource,
    specs=(
        list_(
            console_audit_actions.list_audit_lines,
            key="audit",
            maximum=limits.PAGE_SIZE_MAX,
            parameters=console_audit_parameters.ListAuditLines,
        ),
    ),
    listed=False,
    for_operators=True,
)
