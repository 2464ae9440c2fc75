"""A carrier of Parlour in a separate package: an example for own carriers."""
