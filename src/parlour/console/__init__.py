"""The console: a page about the server that the server itself serves, and the gate in front of it.

A browser gets the page, signs in, and calls the operations of the API through the gate. The console
has no operations: nothing can be seen or changed that the API does not offer.
"""
