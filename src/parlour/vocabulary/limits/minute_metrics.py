"""Limits of the metrics by the minute that each process has in memory."""

# Minutes for which a process has the number and the durations of requests.
METRICS_MINUTES = 60
# Minutes for which it has the requests of each account.
TRAFFIC_MINUTES = 5
# Accounts whose requests are counted in one minute; further ones show no traffic.
TRAFFIC_ACCOUNTS_MAX = 2000
