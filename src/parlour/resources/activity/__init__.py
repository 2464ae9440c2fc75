"""The activity of an account: what each service has, and the requests of the last minutes."""
