"""Limits of the console: its sessions, tickets, operators and audit log."""

from __future__ import annotations

# Idle timeout of a session of the console, in seconds.
CONSOLE_IDLE_SECONDS = 30 * 60
# Lifetime of a session of the console, in seconds.
CONSOLE_SESSION_SECONDS = 12 * 60 * 60
# Sessions of one principal: a login of an account, an operator, or all operators without a key;
# beyond it a new session ends the oldest.
CONSOLE_SESSIONS_PER_PRINCIPAL_MAX = 50
# Interval at which the last use of a session is recorded.
CONSOLE_TOUCH_SECONDS = 60
# Validity of a ticket of `parlour console`, in seconds; it opens one session.
CONSOLE_TICKET_SECONDS = 60
# Interval at which the last use of an operator key is recorded.
OPERATOR_TOUCH_SECONDS = 60 * 60
# Days without use after which `parlour doctor` warns of an operator key.
OPERATOR_UNUSED_DAYS = 90
# Length of the name of an operator.
OPERATOR_NAME_CHARS_MAX = 64
# Retention of a line of the audit log.
CONSOLE_AUDIT_DAYS = 400
# Lines of the audit log; beyond it the oldest are deleted.
CONSOLE_AUDIT_LINES_MAX = 100_000
# After a line about a read of an operator, the same read is not recorded again for this time.
CONSOLE_AUDIT_READ_SECONDS = 60 * 60
# Recorded reads that a process caches for that purpose.
CONSOLE_AUDIT_READS_MAX = 10_000
# Characters of a subject in the audit log that is named in a path without its SID.
CONSOLE_AUDIT_SUBJECT_CHARS_MAX = 64
# Rows of the audit log, sessions and tickets that one step of their retention job deletes.
CONSOLE_EXPIRED_PER_STEP_MAX = 1_000
