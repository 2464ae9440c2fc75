"""The clock of test mode, and settlements."""

from __future__ import annotations

# The latest date of the clock: the start of the year 9990.
CLOCK_DATE_MS_MAX = 253_086_768_000_000
# How far advances may take the clock in all: ten years.
CLOCK_ADVANCE_MS_MAX = 3653 * 24 * 60 * 60 * 1000
# Due times at which one advance stops.
CLOCK_STEPS_MAX = 10_000
# Changes of the clock in memory, one of each second: for a day and an hour.
CLOCK_CHANGES_MAX = 90_000
# Access tokens whose dates are related to the clock once, at their first verification.
TOKENS_DATED_MAX = 10_000
# Default timeout of a settlement or an advance.
SETTLE_SECONDS_DEFAULT = 10
# Maximum timeout of a settlement or an advance.
SETTLE_SECONDS_MAX = 60
# How long an advance waits by default for the new token of a client that it warned.
CLIENT_GRACE_MS_DEFAULT = 500
# How long an advance waits at most for the new token of a client that it warned.
CLIENT_GRACE_MS_MAX = 10_000
# The longest interval between two checks of a settlement.
SETTLE_POLL_MS_MAX = 16
# The names of open work in the response to a settlement.
SETTLE_WAITING_FOR_MAX = 100
