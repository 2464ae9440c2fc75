"""Single modules without a server; one folder for each package of `src/parlour`."""
