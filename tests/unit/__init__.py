"""Single modules without a server; most packages of `src/parlour` have a folder."""
