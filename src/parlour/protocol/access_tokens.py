"""Access tokens of connected users: JSON Web Tokens, verified before any claim is used.

A token is a JSON Web Token that a program of the account signs with the secret of one of the
account's API keys. No claim is trusted until the signature is verified, so the steps are: size,
three canonical base64url parts, header, claims as JSON without duplicate names, issuer and subject;
then the key of exactly this account; then the signature; then the dates; and only then the grants.
Only three algorithms are accepted, the key is found by issuer and subject, and other members of the
header (``kid``, ``jku``, ``jwk``, ``x5u`` …) are ignored or rejected. PyJWT computes the
signatures; it is imported at first use, because that takes long.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import CATALOGUE
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from jwt import PyJWS

ALGORITHMS: Final = ("HS256", "HS384", "HS512")
_SIGNATURE_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
CONTENT_TYPE: Final = "twilio-fpa;v=1"

UNUSABLE: Final = 20101
BAD_HEADER: Final = 20102
BAD_ISSUER: Final = 20103
EXPIRED: Final = 20104
TOO_EARLY: Final = 20105
BAD_GRANTS: Final = 20106
BAD_SIGNATURE: Final = 20107

SERVER_CLOCK: Final = "parlour_clock"
"""The claim of a token whose dates are of this server's clock, where tests steer that."""

_PRODUCTS: Final = ("chat", "ip_messaging")
# They name a key, or change the interpretation of the token.
_REFUSED_HEADERS: Final = frozenset(
    "b64 crit enc epk jku jwk x5c x5t x5t#S256 x5u zip".split()  # Defined by RFC 7515 to 7518.
)
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
# Characters that databases and other programs may reject or change.
_UNWRITABLE: Final = re.compile("[\0\ud800-\udfff]")


class TokenCheck(Enum):
    """The checks of a token, in the order of its verification."""

    ENCODING = "encoding"
    HEADER = "header"
    CLAIMS = "claims"
    ISSUER = "issuer"
    SIGNATURE_LENGTH = "signature_length"
    KEY = "key"
    SIGNATURE = "signature"
    DATES = "dates"
    GRANTS = "grants"
    ACCOUNT = "account"
    SERVICE = "service"


OnPassed = Callable[[TokenCheck], None]
"""Called after each check that a token has passed."""


def ignore(_check: TokenCheck) -> None:
    """Used where only the result of the verification counts."""


class AccessTokenRefused(Exception):  # noqa: N818 - it is a decision, not a mishap.
    """The token is rejected.

    ``code`` (20101 to 20107) and ``message`` are for the client, ``reason`` is for the log.
    """

    def __init__(self, code: int, reason: str) -> None:
        assert UNUSABLE <= code <= BAD_SIGNATURE
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.message = CATALOGUE[code].message
        self.reason = reason


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """A verified token: the user, the service and the expiry."""

    account_sid: str
    key_sid: str
    identity: str
    service_sid: str
    expires_ms: int
    push_credential_sid: str | None = None
    deployment_role_sid: str | None = None
    endpoint_id: str | None = None


class UnverifiedToken(Redacted, msgspec.Struct, frozen=True):
    """The claims of a token before its signature is verified: only for the lookup of its key."""

    secret_fields = frozenset({"signature"})

    key_sid: str
    account_sid: str
    claims: dict[str, Any]
    algorithm: str
    signed: bytes
    signature: bytes


# --- Reading ----------------------------------------------------------------------------


def verify(
    text: object, *, secret_of: Callable[[str, str], str | None], now_ms: int
) -> AccessToken:
    """Return the verified token. Raises AccessTokenRefused.

    ``secret_of(iss, sub)`` returns the secret of the API key ``iss`` if it is one of the account
    ``sub``, and None otherwise.
    """
    claimed = parse_unverified(text)
    return verify_parsed(claimed, secret_of(claimed.key_sid, claimed.account_sid), now_ms)


def parse_unverified(text: object, on_passed: OnPassed = ignore) -> UnverifiedToken:
    """Return the unverified claims, for the lookup of their key. Raises AccessTokenRefused."""
    parts = _parts_of(text)
    header, claims, signature = (_bytes_of(part) for part in parts)
    on_passed(TokenCheck.ENCODING)
    algorithm = _algorithm_of(_object_of(header, BAD_HEADER))
    on_passed(TokenCheck.HEADER)
    claim_set = _object_of(claims, UNUSABLE)
    on_passed(TokenCheck.CLAIMS)
    key_sid, account_sid = claim_set.get("iss"), claim_set.get("sub")
    if not isinstance(key_sid, str) or not sids.is_sid(sids.API_KEY, key_sid):
        raise AccessTokenRefused(BAD_ISSUER, "iss is not the sid of an API key")
    if not isinstance(account_sid, str) or not sids.is_sid(sids.ACCOUNT, account_sid):
        raise AccessTokenRefused(BAD_ISSUER, "sub is not the sid of an account")
    on_passed(TokenCheck.ISSUER)
    if len(signature) != _SIGNATURE_BYTES[algorithm]:
        raise AccessTokenRefused(BAD_SIGNATURE, "the signature has another length")
    on_passed(TokenCheck.SIGNATURE_LENGTH)
    return UnverifiedToken(
        key_sid=sids.normal(key_sid),
        account_sid=sids.normal(account_sid),
        claims=claim_set,
        algorithm=algorithm,
        signed=f"{parts[0]}.{parts[1]}".encode(),
        signature=signature,
    )


def verify_parsed(
    claimed: UnverifiedToken,
    secret: str | None,
    now_ms: int,
    shift_ms: int = 0,
    on_passed: OnPassed = ignore,
) -> AccessToken:
    """Return the token, verified with the key's secret; None: the account has no such key.

    ``shift_ms``: how far the clock of ``now_ms`` was ahead of the one by which the token was made.
    Raises AccessTokenRefused.
    """
    if not secret:
        raise AccessTokenRefused(BAD_ISSUER, "the account has no such API key")
    on_passed(TokenCheck.KEY)
    if not _is_signed(claimed, secret):
        raise AccessTokenRefused(BAD_SIGNATURE, "the signature does not fit")
    on_passed(TokenCheck.SIGNATURE)
    expires_ms = _expiry_ms(claimed.claims, now_ms - shift_ms) + shift_ms
    on_passed(TokenCheck.DATES)
    identity, grant = _grants(claimed.claims)
    token = AccessToken(
        account_sid=claimed.account_sid,
        key_sid=claimed.key_sid,
        identity=identity,
        service_sid=_sid(grant, "service_sid", sids.SERVICE, required=True),
        expires_ms=expires_ms,
        push_credential_sid=_sid(grant, "push_credential_sid", sids.CREDENTIAL) or None,
        deployment_role_sid=_sid(grant, "deployment_role_sid", sids.ROLE) or None,
        endpoint_id=_endpoint_id(grant),
    )
    on_passed(TokenCheck.GRANTS)
    return token


def claimed_expiry_ms(claimed: UnverifiedToken) -> int | None:
    """Return the expiry in an unverified token; None if there is none."""
    try:
        return _date_ms(claimed.claims, "exp", EXPIRED)
    except AccessTokenRefused:
        return None


def decode_parts(text: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return header and claims, verified in no way; None for one that JSON cannot show."""
    try:
        header, claims, _ = _parts_of(text)
    except AccessTokenRefused:
        return None, None
    return _shown_object(header), _shown_object(claims)


def _shown_object(part: str) -> dict[str, Any] | None:
    try:
        found = _object_of(_bytes_of(part), UNUSABLE)
        msgspec.json.encode(found)
    # Lone surrogates, or too many levels.
    except (AccessTokenRefused, ValueError, RecursionError):
        return None
    return found


def _parts_of(text: object) -> list[str]:
    if not isinstance(text, str) or len(text) > limits.ACCESS_TOKEN_CHARS_MAX:
        raise AccessTokenRefused(UNUSABLE, "no text, or too long")
    parts = text.split(".")
    if len(parts) != 3:
        raise AccessTokenRefused(UNUSABLE, f"{len(parts)} parts instead of 3")
    return parts


def _bytes_of(part: str) -> bytes:
    """Return the bytes of one part: canonical base64url without padding."""
    if not _BASE64URL.fullmatch(part):
        raise AccessTokenRefused(UNUSABLE, "a part is not base64url")
    try:
        decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise AccessTokenRefused(UNUSABLE, "a part has a length that base64 never has") from error
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != part.encode():
        raise AccessTokenRefused(UNUSABLE, "a part has bits that stand for nothing")
    return decoded


def _object_of(encoded: bytes, code: int) -> dict[str, Any]:
    """Return a JSON object in UTF-8 without duplicate names at any depth."""
    try:
        found = _json.decode(encoded.decode())
    except (ValueError, RecursionError) as error:
        raise AccessTokenRefused(code, "a part is not JSON") from error
    if not isinstance(found, dict):
        raise AccessTokenRefused(code, "a part is not a JSON object")
    return found


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


_json: Final = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_no_number)


def _algorithm_of(header: dict[str, Any]) -> str:
    """Return the algorithm of a valid header."""
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise AccessTokenRefused(BAD_HEADER, "alg is not supported")
    if header.get("cty") != CONTENT_TYPE:
        raise AccessTokenRefused(BAD_HEADER, f"cty is not {CONTENT_TYPE}")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.upper() != "JWT":
        raise AccessTokenRefused(BAD_HEADER, "typ is not JWT")
    if not isinstance(header.get("kid", ""), str):
        raise AccessTokenRefused(BAD_HEADER, "kid is not a string")
    refused = _REFUSED_HEADERS.intersection(header)
    if refused:
        raise AccessTokenRefused(BAD_HEADER, f"the header has {sorted(refused)}")
    # The constant of this module with the same text, not the sender's string.
    return ALGORITHMS[ALGORITHMS.index(algorithm)]


def _expiry_ms(claims: dict[str, Any], now_ms: int) -> int:
    """Return the expiry of the token. The issuer's clock may be ahead by the leeway, not behind."""
    expires_ms = _date_ms(claims, "exp", EXPIRED)
    begins_ms = _date_ms(claims, "nbf", TOO_EARLY)
    made_ms = _date_ms(claims, "iat", UNUSABLE)
    if expires_ms is None or expires_ms <= now_ms:
        raise AccessTokenRefused(EXPIRED, "exp is missing or past")
    latest_ms = now_ms + limits.ACCESS_TOKEN_LEEWAY_SECONDS * 1000
    if begins_ms is not None and begins_ms > latest_ms:
        raise AccessTokenRefused(TOO_EARLY, "nbf is in the future")
    lifetime_ms_max = limits.ACCESS_TOKEN_SECONDS_MAX * 1000
    since_ms = next((each for each in (made_ms, begins_ms) if each is not None), now_ms)
    # Limited from now as well: an `iat` in the future must not extend the lifetime.
    if expires_ms - since_ms > lifetime_ms_max or expires_ms - latest_ms > lifetime_ms_max:
        raise AccessTokenRefused(EXPIRED, "exp is too far from the beginning")
    return expires_ms


def _date_ms(claims: dict[str, Any], name: str, code: int) -> int | None:
    """Return a date given in seconds since 1970 UTC, with or without a fraction."""
    seconds = claims.get(name)
    if seconds is None:
        return None
    if type(seconds) not in {int, float} or not math.isfinite(seconds):
        raise AccessTokenRefused(code, f"{name} is not a number")
    if not 0 <= seconds <= limits.ACCESS_TOKEN_DATE_SECONDS_MAX:
        raise AccessTokenRefused(code, f"{name} is not a date")
    return int(seconds * 1000)


def _grants(claims: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the identity and the chat grant, which also has an older name."""
    grants = claims.get("grants")
    if not isinstance(grants, dict):
        raise AccessTokenRefused(BAD_GRANTS, "there are no grants")
    identity = grants.get("identity")
    if not isinstance(identity, str) or not 0 < len(identity) <= limits.IDENTITY_CHARS_MAX:
        raise AccessTokenRefused(BAD_GRANTS, "there is no identity, or it is too long")
    if _UNWRITABLE.search(identity):
        raise AccessTokenRefused(BAD_GRANTS, "the identity has characters that no text has")
    found = [grants[name] for name in _PRODUCTS if name in grants]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise AccessTokenRefused(
            BAD_GRANTS, f"{len(found)} chat grants, or one that is not an object"
        )
    return identity, found[0]


def _sid(grant: dict[str, Any], name: str, prefix: str, *, required: bool = False) -> str:
    """Return a SID of the grant; empty if it is optional and missing."""
    value = grant.get(name)
    if not required and (value is None or value == ""):
        return ""
    if not isinstance(value, str) or not sids.is_sid(prefix, value):
        raise AccessTokenRefused(BAD_GRANTS, f"{name} is not a sid with {prefix}")
    return sids.normal(value)


def _endpoint_id(grant: dict[str, Any]) -> str | None:
    value = grant.get("endpoint_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > limits.ENDPOINT_ID_CHARS_MAX:
        raise AccessTokenRefused(BAD_GRANTS, "endpoint_id is not a string, or too long")
    if _UNWRITABLE.search(value):
        raise AccessTokenRefused(BAD_GRANTS, "endpoint_id has characters that no text has")
    return value


# --- Signing ----------------------------------------------------------------------------


def make(
    *,
    account_sid: str,
    key_sid: str,
    secret: str,
    identity: str,
    service_sid: str,
    now_ms: int,
    ttl_seconds: int,
    algorithm: str = "HS256",
    push_credential_sid: str | None = None,
    is_of_server_clock: bool = False,
) -> str:
    """Return a token in the form of the official helper libraries, valid from now.

    ``is_of_server_clock``: whether it has the claim SERVER_CLOCK.
    """
    assert algorithm in ALGORITHMS
    assert 0 < ttl_seconds <= limits.ACCESS_TOKEN_SECONDS_MAX
    now = now_ms // 1000
    grant = {"service_sid": service_sid}
    if push_credential_sid is not None:
        grant["push_credential_sid"] = push_credential_sid
    claims = {
        "jti": f"{key_sid}-{now}",
        "iss": key_sid,
        "sub": account_sid,
        "iat": now,
        "nbf": now,
        "exp": now + ttl_seconds,
        "grants": {"identity": identity, "chat": grant},
    }
    if is_of_server_clock:
        claims[SERVER_CLOCK] = True
    header = {"cty": CONTENT_TYPE}
    return _signatures().encode(msgspec.json.encode(claims), secret, algorithm, header)


# --- Signatures -------------------------------------------------------------------------


def _is_signed(claimed: UnverifiedToken, secret: str) -> bool:
    """Return whether the token is signed with the secret, in constant time.

    PyJWT verifies the bytes that were parsed above and does not parse the token again: two parsers
    could disagree.
    """
    algorithm = _signatures().get_algorithm_by_name(claimed.algorithm)
    return algorithm.verify(claimed.signed, algorithm.prepare_key(secret), claimed.signature)


@cache
def _signatures() -> PyJWS:
    """Return PyJWT with three algorithms only: "none" and public keys are not registered."""
    from jwt.algorithms import HMACAlgorithm  # noqa: PLC0415
    from jwt.api_jws import PyJWS  # noqa: PLC0415

    class Hmac(HMACAlgorithm):
        """HMAC with an API key's secret; the parent rejects some texts as keys (PEM, SSH)."""

        def prepare_key(self, key: str | bytes) -> bytes:
            return key.encode() if isinstance(key, str) else key

        def check_key_length(self, key: bytes) -> None:
            assert key

    signatures = PyJWS(algorithms=())
    for name, digest in zip(ALGORITHMS, (Hmac.SHA256, Hmac.SHA384, Hmac.SHA512), strict=True):
        signatures.register_algorithm(name, Hmac(digest))
    return signatures
