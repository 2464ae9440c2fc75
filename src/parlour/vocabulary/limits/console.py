"""Limits of the console: its sessions, tickets, operators and audit log."""

from __future__ import annotations

# Idle timeout of a session of the console, in seconds.
CONSOLE_IDLE_SECONDS = 30 * 60
# Lifetime of a session of the console, in seconds.
CONSOLE_SESSION_SECONDS = 12 * 60 * 60
# Interval at which the last use of a session is recorded.
CONSOLE_TOUCH_SECONDS = 60
# Validity of a ticket of `parlour console`, in seconds; it opens one session.
CONSOLE_TICKET_SECONDS = 60
# Interval at which the last use of an operator key is recorded.
OPERATOR_TOUCH_SECONDS = 60 * 60
# Retention of a line of the audit log.
CONSOLE_AUDIT_DAYS = 400
# Lines of the audit log; beyond it the oldest are deleted.
CONSOLE_AUDIT_LINES_MAX = 100_000
# Rows of the audit log, sessions and tickets that one step of their retention job deletes.
CONSOLE_EXPIRED_PER_STEP_MAX = 1_000
