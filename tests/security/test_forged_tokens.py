"""Forged access tokens: each one is refused, and with the code that says what is wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import tomllib
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.protocol.access_tokens import ALGORITHMS, AccessToken, TokenRefused, verify

if TYPE_CHECKING:
    from collections.abc import Callable

FORGED = tomllib.loads((Path(__file__).parent / "corpora" / "jwt.toml").read_text("utf-8"))[
    "tokens"
]
FORGED_MIN = 60

NOW = 1_800_000_000
ACCOUNT, TWIN_ACCOUNT = ("AC" + "0" * 31 + digit for digit in "12")
KEY, OTHER_KEY, TWIN_KEY = ("SK" + "0" * 31 + digit for digit in "123")
SERVICE = "IS" + "0" * 31 + "1"
PUBLIC = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"
SECRETS = {"own": "o" * 32, "other": "p" * 32, "twin": "t" * 32} | {
    "empty": "",
    "sid": KEY,
    "public": PUBLIC,
    "jwk": "secret",
}
KNOWN = {
    (KEY, ACCOUNT): SECRETS["own"],
    (OTHER_KEY, ACCOUNT): SECRETS["other"],
    (TWIN_KEY, TWIN_ACCOUNT): SECRETS["twin"],
}
HASHES = dict(zip(ALGORITHMS, ("sha256", "sha384", "sha512"), strict=True))
WORDS = {
    "{account}": ACCOUNT,
    "{twin_account}": TWIN_ACCOUNT,
    "{key}": KEY,
    "{twin_key}": TWIN_KEY,
    "{service}": SERVICE,
    "{257}": "x" * 257,
    "{megabyte}": "x" * 1024 * 1024,
    "{deep}": "[" * 6000,
    "{digits}": "9" * 5000,
}


def secret_of(key_sid: str, account_sid: str) -> str | None:
    return KNOWN.get((key_sid, account_sid))


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def sign(text: str, secret: str = SECRETS["own"], algorithm: str = "HS256") -> str:
    """The signature of two parts, as this file alone computes it."""
    return encode(hmac.digest(secret.encode(), text.encode(), HASHES[algorithm]))


def good(identity: str = "alice") -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token that is let in."""
    grants = {"identity": identity, "chat": {"service_sid": SERVICE}}
    claims = {"jti": f"{KEY}-{NOW}", "iss": KEY, "sub": ACCOUNT, "grants": grants}
    times = {"iat": NOW, "nbf": NOW, "exp": NOW + 3600}
    return {"alg": "HS256", "typ": "JWT", "cty": "twilio-fpa;v=1"}, {**claims, **times}


def joined(header: str, claims: str, key: str = "own", algorithm: str = "HS256") -> str:
    """A token of two texts; without an algorithm its signature is empty."""
    text = f"{encode(header.encode())}.{encode(claims.encode())}"
    return f"{text}.{sign(text, SECRETS[key], algorithm) if algorithm else ''}"


def written(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def filled(text: str) -> str:
    for word, value in WORDS.items():
        text = text.replace(word, value)
    return text


GOOD = joined(*(written(part) for part in good()))


def made(forged: dict[str, Any]) -> str:
    """The text of one entry of the corpus."""
    header, claims = good()
    places = {"header": header, "claims": claims}
    places |= {"grants": claims["grants"], "chat": claims["grants"]["chat"]}
    for name, members in places.items():
        members.update(forged.get(name, {}))
    for dotted in forged.get("drop", ()):
        place, _, name = dotted.partition(".")
        del places[place][name]
    header_text, claims_text = written(header), written(claims)
    if "header_text" in forged:
        header_text = forged["header_text"].replace("{header}", header_text)
    if "claims_text" in forged:
        claims_text = changed_claims(forged["claims_text"], claims)
    algorithm = forged.get("alg", header.get("alg"))
    if algorithm != "" and algorithm not in ALGORITHMS:
        algorithm = "HS256"
    token = joined(filled(header_text), filled(claims_text), forged.get("key", "own"), algorithm)
    return SHAPES[forged["shape"]](token) if "shape" in forged else token


def changed_claims(text: str, claims: dict[str, Any]) -> str:
    """Claims that no JSON writer makes."""
    whole = written(claims)
    without_exp = written({name: claims[name] for name in claims if name != "exp"})
    identity = '"identity":"alice"'
    assert identity in whole
    parts = {
        "{claims_without_exp": without_exp.removesuffix("}"),
        "{claims_with_two_identities}": whole.replace(identity, f'{identity},"identity":"bob"'),
        "{claims_with_half_a_character}": whole.replace("alice", "\\ud800"),
        "{claims}": whole,
        "{nested}": GOOD,
    }
    for word, value in parts.items():
        text = text.replace(word, value)
    return text


# --- Shapes: what is done to the finished text. -------------------------------------------


def with_signature(change: Callable[[bytes], bytes]) -> Callable[[str], str]:
    def shape(token: str) -> str:
        text, _, signature = token.rpartition(".")
        return f"{text}.{encode(change(decode(signature)))}"

    return shape


def with_claims(change: Callable[[bytes], bytes]) -> Callable[[str], str]:
    """Other bytes as claims, and a signature that fits them."""

    def shape(token: str) -> str:
        header, claims, _ = token.split(".")
        text = f"{header}.{encode(change(decode(claims)))}"
        return f"{text}.{sign(text)}"

    return shape


def with_part(change: Callable[[str], str], place: int = 1) -> Callable[[str], str]:
    """Another spelling of one part, and a signature that fits that spelling."""

    def shape(token: str) -> str:
        parts = token.split(".")
        parts[place] = change(parts[place])
        if place != 2:
            parts[2] = sign(f"{parts[0]}.{parts[1]}")
        return ".".join(parts)

    return shape


def padded(part: str) -> str:
    return base64.urlsafe_b64encode(decode(part) + b" " * (len(decode(part)) % 3 == 0)).decode()


def plain_base64(token: str) -> str:
    header, _, _ = token.split(".")
    claims = base64.b64encode(written(good("???>>>ÿÿÿ")[1]).encode() + b" ~~~???").rstrip(b"=")
    assert set(claims.decode()) & set("+/")
    text = f"{header}.{claims.decode()}"
    return f"{text}.{sign(text)}"


def with_spare_bits(token: str) -> str:
    """The signature's last character, of whose bits the last two stand for nothing."""
    return token[:-1] + chr(ord(token[-1]) + 1)


def as_json(token: str) -> str:
    header, claims, signature = token.split(".")
    return written({"protected": header, "payload": claims, "signature": signature})


def of_two(token: str, claims_of: str, signature_of: str) -> str:
    header = token.partition(".")[0]
    tokens = [joined(written(good()[0]), written(good(name)[1])) for name in ("alice", "bob")]
    found = dict(zip(("alice", "bob"), tokens, strict=True))
    claims, signature = found[claims_of].split(".")[1], found[signature_of].split(".")[2]
    return f"{header}.{claims}.{signature}"


SHAPES: dict[str, Callable[[str], str]] = {
    "zero_signature": with_signature(lambda signature: bytes(len(signature) or 64)),
    "half_signature": with_signature(lambda signature: signature[: len(signature) // 2]),
    "long_signature": with_signature(lambda signature: signature + b"x" * 10_000),
    "huge_signature": with_signature(lambda signature: signature + b"x" * 1024 * 1024),
    "flipped_signature": with_signature(
        lambda signature: bytes([signature[0] ^ 1]) + signature[1:]
    ),
    "hexadecimal_signature": with_signature(lambda signature: signature.hex().encode()),
    "utf_16_claims": with_claims(lambda claims: claims.decode().encode("utf-16")),
    "latin_claims": with_claims(lambda claims: claims.replace(b"alice", b"al\xefce")),
    "deflated_claims": with_claims(zlib.compress),
    "padded": with_part(padded),
    "plain_base64": plain_base64,
    "with_line_end": with_part(lambda part: part[:40] + "\n" + part[40:]),
    "with_stray_character": with_part(lambda part: part[:40] + "!" + part[40:]),
    "with_spare_bits": with_spare_bits,
    "one_character_more": with_part(lambda part: part + "A" * (-(len(part) - 1) % 4)),
    "full_width": with_part(lambda part: "ｅ" + part[1:]),
    "null_at_the_end": lambda token: token + "\0",
    "line_at_the_end": lambda token: token + "\n",
    "with_scheme": lambda token: f"Bearer {token}",
    "two_parts": lambda token: token.rpartition(".")[0],
    "four_parts": lambda token: f"{token}.{token.rpartition('.')[2]}",
    "five_parts": lambda token: f"{token}.AAAA.AAAA",
    "two_dots": lambda _: "..",
    "nothing": lambda _: "",
    "as_json": as_json,
    "others_signature": lambda token: of_two(token, "alice", "bob"),
    "others_claims": lambda token: of_two(token, "bob", "alice"),
}


# --- The tests --------------------------------------------------------------------------


def test_the_token_they_are_made_from_is_let_in() -> None:
    assert made({}) == GOOD
    token = verify(GOOD, secret_of=secret_of, now_ms=NOW * 1000)
    assert (token.identity, token.account_sid, token.key_sid) == ("alice", ACCOUNT, KEY)


def test_the_corpus_is_large_and_has_no_entry_twice() -> None:
    assert len(FORGED) >= FORGED_MIN
    assert len({each["why"] for each in FORGED}) == len(FORGED)
    assert len({hashlib.sha256(made(each).encode()).digest() for each in FORGED}) == len(FORGED)
    assert {each["shape"] for each in FORGED if "shape" in each} == set(SHAPES)
    assert {each["expected"] for each in FORGED} == set(range(20101, 20108))


@pytest.mark.parametrize("forged", FORGED, ids=[each["why"] for each in FORGED])
def test_a_forged_token_is_refused(forged: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused) as refused:
        verify(made(forged), secret_of=secret_of, now_ms=NOW * 1000)
    assert refused.value.code == forged["expected"], refused.value.reason


@pytest.mark.parametrize(
    "sent", [None, 1, True, [], {}, [GOOD], {"token": GOOD}, GOOD.encode()], ids=repr
)
def test_what_is_no_text_is_refused(sent: object) -> None:
    with pytest.raises(TokenRefused) as refused:
        verify(sent, secret_of=secret_of, now_ms=NOW * 1000)
    assert refused.value.code == 20101


def test_a_large_token_is_refused_before_anything_is_decoded() -> None:
    asked: list[str] = []

    def counted(key_sid: str, account_sid: str) -> str | None:
        asked.append(key_sid)
        return secret_of(key_sid, account_sid)

    for size in (20_000, 2_000_000):
        header, claims = good()
        token = joined(written(header), written(claims | {"more": "x" * size}))
        with pytest.raises(TokenRefused) as refused:
            verify(token, secret_of=counted, now_ms=NOW * 1000)
        assert (refused.value.code, refused.value.reason) == (20101, "no text, or too long")
    assert asked == []


@given(place=st.integers(0, len(GOOD) - 1), other=st.characters())
def test_a_token_with_another_character_is_refused(place: int, other: str) -> None:
    token = GOOD[:place] + other + GOOD[place + 1 :]
    if token != GOOD:
        with pytest.raises(TokenRefused):
            verify(token, secret_of=secret_of, now_ms=NOW * 1000)


@given(st.text() | st.text("ABCabc019-_.=", max_size=200))
def test_any_text_is_refused_and_nothing_else_is_raised(text: str) -> None:
    with pytest.raises(TokenRefused):
        verify(text, secret_of=secret_of, now_ms=NOW * 1000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["iss", "sub", "iat", "nbf", "exp", "grants", "identity", "chat"])


def outcome(token: str) -> AccessToken | TokenRefused:
    try:
        return verify(token, secret_of=secret_of, now_ms=NOW * 1000)
    except TokenRefused as refused:
        return refused


@given(header=st.dictionaries(NAMES | st.text(), JSON), changed=st.dictionaries(NAMES, JSON))
def test_any_json_is_let_in_or_refused_and_nothing_else_is_raised(
    header: dict[str, Any], changed: dict[str, Any]
) -> None:
    good_header, claims = good()
    for token_claims in (claims | changed, claims | {"grants": claims["grants"] | changed}):
        token = joined(written({**header, **good_header}), json.dumps(token_claims, allow_nan=True))
        found = outcome(token)
        if isinstance(found, TokenRefused):
            assert 20101 <= found.code <= 20107
        else:
            assert found.account_sid == ACCOUNT
            assert found.identity
            assert NOW * 1000 < found.expires_ms <= (NOW + 86_460) * 1000
