"""Access tokens: ours and the official helper's are one thing, and each bound is where it is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.jwt.access_token import AccessToken as OfficialToken
from twilio.jwt.access_token.grants import ChatGrant, SyncGrant, VideoGrant

from parlour.protocol import access_tokens
from parlour.protocol.access_tokens import ALGORITHMS, AccessToken, AccessTokenRefused, make, verify
from parlour.vocabulary import limits
from parlour.vocabulary.errors import CATALOGUE

NOW = 1_800_000_000
NOW_MS = NOW * 1000
ACCOUNT, KEY, SERVICE, CREDENTIAL, ROLE = (
    prefix + "0" * 31 + "1" for prefix in ("AC", "SK", "IS", "CR", "RL")
)
SECRET = "s" * 32
HEADER = {"cty": "twilio-fpa;v=1"}


def mine(**changed: Any) -> str:
    parameters = {
        "identity": "alice",
        "service_sid": SERVICE,
        "now_ms": NOW_MS,
        "ttl_seconds": 3600,
    }
    return make(
        **({"account_sid": ACCOUNT, "key_sid": KEY, "secret": SECRET} | parameters | changed)
    )


def theirs(claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
    """A token of these claims, signed by PyJWT alone."""
    return jwt.encode(claims, SECRET, "HS256", headers=HEADER | (headers or {}))


def good() -> dict[str, Any]:
    grants = {"identity": "alice", "chat": {"service_sid": SERVICE}}
    return {"iss": KEY, "sub": ACCOUNT, "exp": NOW + 3600, "grants": grants}


def checked(token: str, now_ms: int = NOW_MS, secret: str | None = SECRET) -> AccessToken:
    return verify(token, secret_of=lambda *_: secret, now_ms=now_ms)


def refused(token: str, now_ms: int = NOW_MS) -> int:
    with pytest.raises(AccessTokenRefused) as caught:
        checked(token, now_ms)
    return caught.value.code


# --- With the official helper -----------------------------------------------------------


def official(**more: Any) -> OfficialToken:
    grant = ChatGrant(service_sid=SERVICE)
    return OfficialToken(ACCOUNT, KEY, SECRET, grants=[grant], identity="alice", **more)


def test_a_token_of_the_official_helper_is_accepted() -> None:
    began = int(time.time())
    token = checked(official(ttl=60).to_jwt(), now_ms=began * 1000)
    assert began + 60 <= token.expires_ms / 1000 <= time.time() + 60
    assert token == AccessToken(
        account_sid=ACCOUNT,
        key_sid=KEY,
        identity="alice",
        service_sid=SERVICE,
        expires_ms=token.expires_ms,
    )


def test_everything_in_the_official_grant_is_read() -> None:
    grant = ChatGrant(
        service_sid=SERVICE,
        endpoint_id="phone",
        deployment_role_sid=ROLE,
        push_credential_sid=CREDENTIAL,
    )
    sent = OfficialToken(
        ACCOUNT,
        KEY,
        SECRET,
        grants=[SyncGrant(service_sid=SERVICE), grant, VideoGrant(room="x")],
        identity="älice@example.org",
        valid_until=NOW + 5,
        nbf=None,
        region="ie1",
    )
    assert checked(sent.to_jwt()) == AccessToken(
        account_sid=ACCOUNT,
        key_sid=KEY,
        identity="älice@example.org",
        service_sid=SERVICE,
        expires_ms=(NOW + 5) * 1000,
        push_credential_sid=CREDENTIAL,
        deployment_role_sid=ROLE,
        endpoint_id="phone",
    )


def test_the_official_helper_reads_a_token_made_here() -> None:
    began_ms = int(time.time()) * 1000
    made = mine(now_ms=began_ms, push_credential_sid=CREDENTIAL)
    read = OfficialToken.from_jwt(made, SECRET)
    assert read.payload == {
        "jti": f"{KEY}-{began_ms // 1000}",
        "iss": KEY,
        "sub": ACCOUNT,
        "iat": began_ms // 1000,
        "nbf": began_ms // 1000,
        "exp": began_ms // 1000 + 3600,
        "grants": {
            "identity": "alice",
            "chat": {"service_sid": SERVICE, "push_credential_sid": CREDENTIAL},
        },
    }
    assert read.headers == {"cty": "twilio-fpa;v=1", "typ": "JWT", "alg": "HS256"}


# --- Both ways --------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_signs_and_verifies(algorithm: str) -> None:
    made = mine(algorithm=algorithm)
    assert jwt.get_unverified_header(made)["alg"] == algorithm
    assert checked(made).identity == "alice"
    long = mine(algorithm=algorithm, secret=SECRET * 2)
    without_times: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    assert jwt.decode(long, SECRET * 2, [algorithm], options=without_times)["sub"] == ACCOUNT


IDENTITIES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=limits.IDENTITY_CHARS_MAX,
)


@given(identity=IDENTITIES, ttl_seconds=st.integers(1, limits.ACCESS_TOKEN_SECONDS_MAX))
def test_a_created_token_is_read_back(identity: str, ttl_seconds: int) -> None:
    token = checked(mine(identity=identity, ttl_seconds=ttl_seconds))
    assert (token.identity, token.service_sid) == (identity, SERVICE)
    assert token.expires_ms == NOW_MS + ttl_seconds * 1000


def test_the_key_is_looked_up_by_issuer_and_subject_in_their_stored_form() -> None:
    lookups: list[tuple[str, str]] = []

    def secret_of(key_sid: str, account_sid: str) -> str | None:
        lookups.append((key_sid, account_sid))
        return SECRET

    key, account = "SK" + "AbCdEf01" * 4, "AC" + "0F" * 16
    verify(theirs(good() | {"iss": key, "sub": account}), secret_of=secret_of, now_ms=NOW_MS)
    assert lookups == [("SK" + "abcdef01" * 4, "AC" + "0f" * 16)]


@pytest.mark.parametrize("secret", [None, ""])
def test_without_a_key_every_token_is_rejected(secret: str | None) -> None:
    with pytest.raises(AccessTokenRefused) as caught:
        checked(mine(), secret=secret)
    assert caught.value.code == 20103


def test_a_token_can_be_read_before_its_key_is_known() -> None:
    claimed = access_tokens.parse_unverified(mine())
    assert (claimed.key_sid, claimed.account_sid) == (KEY, ACCOUNT)
    assert access_tokens.verify_parsed(claimed, SECRET, NOW_MS) == checked(mine())


# --- Header and grants ------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{"kid": "a"}, {"typ": "jwt"}, {"typ": None}, {"twr": "ie1"}])
def test_irrelevant_header_members_are_accepted(headers: dict[str, Any]) -> None:
    assert checked(theirs(good(), headers)).identity == "alice"


def test_the_grant_has_an_older_name() -> None:
    claims = good()
    claims["grants"]["ip_messaging"] = claims["grants"].pop("chat")
    assert checked(theirs(claims)).service_sid == SERVICE


@pytest.mark.parametrize("empty", [None, ""])
def test_empty_members_of_the_grant_are_absent(empty: str | None) -> None:
    claims = good()
    names = ("push_credential_sid", "deployment_role_sid", "endpoint_id")
    claims["grants"]["chat"] |= dict.fromkeys(names, empty)
    assert checked(theirs(claims)) == checked(theirs(good()))


def test_the_longest_identity_and_endpoint_are_accepted() -> None:
    claims = good()
    claims["grants"]["identity"] = "ä" * limits.IDENTITY_CHARS_MAX
    claims["grants"]["chat"]["endpoint_id"] = "x" * limits.ENDPOINT_ID_CHARS_MAX
    assert checked(theirs(claims)).endpoint_id == "x" * 256
    claims["grants"]["chat"]["endpoint_id"] += "x"
    assert refused(theirs(claims)) == 20106
    assert refused(mine(identity="ä" * 257)) == 20106


def test_the_longest_token_is_accepted() -> None:
    claims = good() | {"more": ""}
    # Three characters of claims are four of the token.
    free_chars = (limits.ACCESS_TOKEN_CHARS_MAX - len(theirs(claims))) // 4 * 3
    longest = theirs(claims | {"more": "x" * free_chars})
    assert limits.ACCESS_TOKEN_CHARS_MAX - 4 < len(longest) <= limits.ACCESS_TOKEN_CHARS_MAX
    assert checked(longest).identity == "alice"
    assert refused(theirs(claims | {"more": "x" * (free_chars + 4)})) == 20101


# --- Times ------------------------------------------------------------------------------


def test_a_token_ends_at_its_expiry_and_not_before() -> None:
    token = mine(ttl_seconds=60)
    assert checked(token, NOW_MS + 59_999).expires_ms == NOW_MS + 60_000
    assert refused(token, NOW_MS + 60_000) == 20104


def test_the_clock_of_the_maker_may_be_a_minute_ahead() -> None:
    token = mine(now_ms=NOW_MS + 60_000)
    assert checked(token).identity == "alice"
    assert refused(token, NOW_MS - 1) == 20105


def test_a_token_lives_a_day() -> None:
    day = limits.ACCESS_TOKEN_SECONDS_MAX
    assert checked(mine(ttl_seconds=day)).expires_ms == NOW_MS + day * 1000
    assert checked(theirs(good() | {"exp": NOW + day})).identity == "alice"
    assert refused(theirs(good() | {"exp": NOW + day + 1})) == 20104
    made_later = good() | {"iat": NOW + 60, "exp": NOW + day + 60}
    assert checked(theirs(made_later)).identity == "alice"
    assert refused(theirs(made_later), NOW_MS - 1) == 20104
    valid = good() | {"nbf": NOW - day, "exp": NOW + 1}
    assert refused(theirs(valid)) == 20104
    assert checked(theirs(valid | {"iat": NOW})).identity == "alice"


def test_dates_may_have_fractions() -> None:
    claims = good() | {"nbf": NOW - 0.5, "exp": NOW + 1.5}
    assert checked(theirs(claims)).expires_ms == NOW_MS + 1500


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_the_start_time_is_optional(name: str) -> None:
    assert checked(theirs(good() | {name: None})).identity == "alice"


# --- Reasons of a rejection -------------------------------------------------------------


def test_a_refusal_has_the_message_of_its_code_and_a_reason() -> None:
    for code in range(20101, 20108):
        error = AccessTokenRefused(code, "why")
        assert (error.code, error.message, error.reason) == (
            code,
            CATALOGUE[code].message,
            "why",
        )


def test_no_reason_contains_the_token() -> None:
    sent = theirs(good() | {"exp": "geheim", "grants": {"identity": "geheim"}})
    with pytest.raises(AccessTokenRefused) as caught:
        checked(sent)
    assert "geheim" not in str(caught.value)


def test_the_library_is_imported_when_a_signature_is_needed_and_not_before() -> None:
    program = (
        "import sys\n"
        "from parlour.protocol import access_tokens\n"
        "before = 'jwt' in sys.modules\n"
        "access_tokens._signatures()\n"
        "print(before, 'jwt' in sys.modules)\n"
    )
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    assert printed.stdout == b"False True\n"


def test_claims_are_json_without_spaces() -> None:
    claims = mine().split(".")[1]
    text = jwt.utils.base64url_decode(claims).decode()
    assert text == json.dumps(json.loads(text), separators=(",", ":"))
