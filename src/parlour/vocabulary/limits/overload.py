"""Limits of requests in flight and of rejections under overload."""

from __future__ import annotations

# Target of the mean sojourn time of requests, in milliseconds; the limit of requests in flight
# follows from it.
WORK_MS_TARGET = 40
# The target as a multiple of the sojourn time without load, where that is more, as with a slow
# store.
WORK_CALM_MULTIPLE = 3
# Maximum of that target, in milliseconds.
WORK_MS_TARGET_MAX = 120
# Divisor: the weight of a new measurement in the sojourn time without load.
WORK_CALM_PART = 8
# Minimum of the limit of requests in flight, however long they take.
WORK_LIMIT_MIN = 96
# CPU time of the requests in flight together while there was no overload, in milliseconds.
WORK_MS_BURST = 120
# Divisor: the weight of a new measurement in the CPU time of a request.
WORK_COST_PART = 4
# Consecutive windows above the target before the limit shrinks.
WORK_LATE_WINDOWS_MIN = 3
# Measurement window after which the limit is adjusted, in milliseconds.
WORK_WINDOW_MS = 100
# Requests that a window needs; with fewer it lasts ten times as long.
WORK_WINDOW_REQUESTS_MIN = 20
# Requests in flight up to which a window counts as without load.
WORK_CALM_REQUESTS_MAX = 4
# Largest growth of the limit after one window, in percent of the limit.
WORK_GROWTH_PERCENT_MAX = 120
# Largest reduction of the limit after one window, in percent of the limit.
WORK_SHRINKING_PERCENT_MIN = 50
# Rejections sent for each completed request; further ones are delayed, since each costs CPU time
# and its client retries as soon as it has the response.
REFUSALS_PER_REQUEST = 2
# Rejections that may be sent per millisecond in addition.
REFUSALS_PER_MS = 1
# Delay from which a rejection counts as late, in milliseconds.
REFUSAL_DELAY_MS = 20
# Late rejections sent for each completed request in addition.
LATE_REFUSALS_PER_REQUEST = 3
# Maximum delay of a rejection, in milliseconds.
REFUSAL_DELAY_MS_MAX = 100
# Burst: rejections of either kind that may be sent at once after a time without any.
REFUSALS_AT_ONCE_MAX = 500
# Polling interval of delayed rejections, in milliseconds.
REFUSAL_STEP_MS = 5
# Delayed rejections; a further one is sent immediately.
REFUSALS_DELAYED_MAX = 4096
# How long the decision to reject the requests of a login is reused, in milliseconds.
REFUSAL_DECIDED_MS = 2
# Logins for which such a decision is cached.
REFUSED_LOGINS_MAX = 1000
