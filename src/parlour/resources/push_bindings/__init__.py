"""Push bindings: the devices of users that notifications are pushed to. Only SDKs make them."""
