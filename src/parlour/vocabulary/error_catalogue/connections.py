"""Error codes of WebSocket clients: tokens, services and limits."""

from __future__ import annotations

TABLE = """
51001 429 Connections resource limit exceeded
    The server holds as many connections as it can.
51002 429 Request rate limit exceeded
    The connection sends more requests per second than allowed.
51003 400 identity too long
    The token's identity is longer than allowed.
51004 400 endpoint_id too long
    The client's endpoint id is longer than allowed.
51005 400 Command or keepalive acknowledgement not received
    The client did not acknowledge in time.
51006 400 Connection expired
    The connection was kept for a client that did not come back in time.
51007 401 Token authentication is rejected
    The token was refused.
51101 403 Service instance not found
    The token's service does not exist.
51102 403 Service instance SID not specified
    No service was named.
51103 401 Token doesn't contain required grants section
    The token has no grants.
51104 401 Token doesn't contain service instance
    The token's grant names no service.
51105 401 Token doesn't contain identity
    The token names no identity.
51106 403 Active product doesn't match with service instance product
    The service belongs to another product.
51107 403 Service can't be used
    The service cannot be used.
51108 403 Service instance disabled
    The service is switched off.
51109 403 Service instance is under legal hold
    The service is kept unchanged for legal reasons.
51110 401 Token contains multiple grants of same product
    The token grants the same product twice.
51111 429 Service instance limit reached
    The service has reached one of its limits.
51112 403 Product usage disabled
    The product is switched off for the account.
51113 403 Product usage is not enabled
    The product is not switched on for the account.
51114 401 Invalid access token header
    The token's header is malformed.
51115 401 Invalid access token subject
    The token's subject is not the account of its key.
51116 401 Invalid access token grants
    The token's grants are malformed.
51117 401 Invalid access token signature
    The token's signature does not fit.
51118 401 Invalid claim set
    The token's claims are malformed.
51119 401 Token expired
    The token has expired.
51120 401 Token is not valid yet
    The token is used before its not-before date.
51121 401 Token expiration time exceeds maximum
    The token's lifetime is longer than 24 hours.
51122 401 Authentication failed
    The client could not be authenticated.
51123 400 Upstream not resolved
    The message is for a part of the server that does not exist.
51124 429 Too many connections
    The account or identity holds too many connections.
51125 429 Too many updates
    The connection is sent more updates than it takes.
51126 429 DNC limit has been reached
    A limit on the service's connections was reached.
51127 429 PNC limit has been
    A limit on the product's connections was reached.
51128 429 Too many messages per connection
    The connection sends more messages than allowed.
51129 429 Too many messages per account
    The account's connections send more messages than allowed.
51130 401 Token is invalid!
    The token cannot be read.
51131 401 Authentication failed
    The client could not be authenticated.
51201 429 CPS, Init per Account
    The account opens more connections per second than allowed.
51202 429 CPS, Too many requests
    More connections per second are opened than allowed.
51215 401 Unauthorized
    The client is not authorized.
"""
