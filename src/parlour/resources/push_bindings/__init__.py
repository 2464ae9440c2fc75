"""Push bindings: users' devices for push notifications. Only client SDKs create them."""
