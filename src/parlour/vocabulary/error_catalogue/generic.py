"""The error codes every product of the platform shares: requests, credentials, tokens."""

from __future__ import annotations

TABLE = """
20001 400 Missing required parameter {name} in the post body
    A parameter is missing or its value cannot be used, and no code is more exact; with status
    408, 414 or 431, the request's body came too slowly, or its URL or headers are too long.
20002 400 Invalid FriendlyName
    The FriendlyName cannot be used.
20003 401 Authenticate
    The credentials are missing, malformed or wrong.
20004 405 Method not allowed
    The path exists but does not offer this method.
20005 403 Account not active
    The account is suspended or closed.
20006 403 Access Denied
    The key may not reach this resource.
20007 400 Page size too large
    Kept for completeness: a page size above the maximum is lowered to the maximum instead.
20008 403 Test Credentials
    Test credentials were used, which this product does not offer.
20101 401 Invalid Access Token
    The access token cannot be used.
20102 401 Invalid Access Token header
    The header of the access token names a wrong algorithm, type or content type.
20103 401 Invalid Access Token issuer/subject
    The issuer of the access token is no API key, or its subject is not the key's account.
20104 401 Access Token expired or expiration date invalid
    The access token has expired, or its expiry is no date.
20105 401 Access Token not yet valid
    The access token is used before its not-before date.
20106 401 Invalid Access Token grants
    The grants of the access token are malformed.
20107 401 Invalid Access Token signature
    The signature of the access token does not fit.
20151 401 Authentication Failed
    The token service could not authenticate the caller.
20152 401 Invalid Header
    The token's header is malformed.
20153 401 Invalid Issuer Or Subject
    The token's issuer or subject is wrong.
20154 401 Invalid Claim Set
    The token's claims are malformed.
20155 401 Expiration Time In The Future
    The token's dates contradict each other.
20156 401 Expired or Invalid Expiration in Token
    The token has expired.
20157 401 Expiration Time Exceeds Maximum Time Allowed
    The token's lifetime is longer than 24 hours.
20159 401 Invalid Signature
    The token's signature does not fit.
20160 401 Invalid Token
    The token cannot be read.
20161 400 Parameters are not specified for update request
    An update names no parameter the resource knows.
20162 409 A conflicting resource update is in progress
    Another request is changing the same resource.
20403 403 403 Forbidden
    The caller is known but may not do this.
20404 404 The requested resource {path} was not found
    The path, or a resource it names, does not exist for this account.
20409 409 Conflict
    The request conflicts with what is stored, or with a request that is still running.
20410 410 Gone
    The endpoint has been withdrawn.
20413 413 Request Entity Too Large
    The request's body is larger than the server reads.
20422 400 Invalid Parameter
    A parameter is well formed but cannot be used; with status 422, an idempotency key was
    sent again with another request.
20423 400 Invalid SID
    A sid is malformed; a malformed sid in a path is a missing resource instead.
20426 426 Upgrade Required
    The request came over plain HTTP where HTTPS is demanded.
20429 429 Too many requests
    The account sends too many requests, or too many at once; nothing was done.
20500 500 Internal Server Error
    The server failed; the fault is ours.
20503 503 Service unavailable
    The server is overloaded, stopping or cannot reach its store; try again later.
70001 400 Validation Failed
    Newer platform form of 20001, which this product does not raise.
70002 400 Bad request
    Newer platform form of a malformed request, which this product does not raise.
70003 409 Outdated Entity
    Newer platform form of a conflicting change, which this product does not raise.
70004 401 Unauthorized
    Newer platform form of 20003, which this product does not raise.
70051 403 Authorization Failed
    The restricted API key lacks the permission for this operation.
"""
