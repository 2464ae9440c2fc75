"""What imports and types cannot say about the code: ten small rules, read from its syntax."""
