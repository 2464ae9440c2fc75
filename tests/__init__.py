"""The tests of Parlour: what it promises, and how each promise is shown."""
