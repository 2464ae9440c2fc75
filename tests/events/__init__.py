"""Events, dispatch and webhooks: which are sent, with which parameters, in which order."""
