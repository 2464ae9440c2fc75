"""Unit tests of `parlour.testmode`."""
