"""The operations of the sessions of the console, for operators."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, delete, list_
from parlour.resources.console_sessions import actions as console_session_actions
from parlour.resources.console_sessions import representation as console_session_representation
from parlour.vocabulary import limits

OPERATOR_SESSIONS = Collection(
    noun="OperatorSession",
    version="/parlour/v1",
    path="/Operator/Sessions",
    url_forms=ACCOUNT_ONLY,
    represent=console_session_representation.resource,
    specs=(
        list_(
            console_session_actions.list_console_sessions,
            key="sessions",
            maximum=limits.PAGE_SIZE_MAX,
        ),
        delete(console_session_actions.delete_console_session),
    ),
    listed=False,
    for_operators=True,
)
