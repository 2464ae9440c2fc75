"""The bounds of what the server takes on at once when it is asked for more than it can do."""

from __future__ import annotations

# How long a request may be in the server on average, in milliseconds: the limit of requests in work
# follows from it, and a full server's answers are about this late.
WORK_MS_TARGET = 40
# Where every request takes long, at the store for example: so many times what it takes in calm.
WORK_CALM_MULTIPLE = 3
# ... but not more than this, in milliseconds.
WORK_MS_TARGET_MAX = 120
# A further measurement of the calm time counts for one part in so many.
WORK_CALM_PART = 8
# Requests in work that are never too many, however long they take.
WORK_LIMIT_MIN = 96
# What requests in work may take of the processor together, in milliseconds, while there were not
# too many of late.
WORK_MS_BURST = 120
# A further measurement of what a request takes of the processor counts for one part in so many.
WORK_COST_PART = 4
# Windows in a row in which requests take too long before the limit shrinks.
WORK_LATE_WINDOWS_MIN = 3
# How long requests are measured before the limit is adjusted, in milliseconds ...
WORK_WINDOW_MS = 100
# ... and how many they have to be; with fewer it is adjusted after ten such times.
WORK_WINDOW_REQUESTS_MIN = 20
# With so few requests in work at most, what they take is the calm time.
WORK_CALM_REQUESTS_MAX = 4
# The limit becomes at most so many percent of what it was ...
WORK_GROWTH_PERCENT_MAX = 120
# ... and at least so many.
WORK_SHRINKING_PERCENT_MIN = 50
# So many refusals may be sent for each request that was carried out; what is more than that is held
# back, since each takes time from the requests in work, and its caller comes again as soon as it
# has the answer.
REFUSALS_PER_REQUEST = 2
# So many may be sent in a millisecond besides.
REFUSALS_PER_MS = 1
# A refusal that was held for this long, in milliseconds, is late.
REFUSAL_DELAY_MS = 20
# So many late ones more may be sent for each request that was carried out.
LATE_REFUSALS_PER_REQUEST = 3
# No refusal is held for longer than this, in milliseconds.
REFUSAL_DELAY_MS_MAX = 100
# Refusals of either kind that may be sent at once after a time without any.
REFUSALS_AT_ONCE_MAX = 500
# How often held refusals are looked at, in milliseconds.
REFUSAL_STEP_MS = 5
# Refusals held back at once; a further one is sent at once.
REFUSALS_DELAYED_MAX = 4096
# How long the decision counts that a login is refused, in milliseconds.
REFUSAL_DECIDED_MS = 2
# Logins of which such a decision is known.
REFUSED_LOGINS_MAX = 1000
