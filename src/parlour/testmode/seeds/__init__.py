"""Seeds: documents that fill an account, and exports of an account as such a document."""
