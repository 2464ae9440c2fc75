"""Makes invalid access tokens from a valid one and the changes of the corpus."""

from __future__ import annotations

import base64
import hmac
import json
import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parlour.protocol.access_tokens import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Callable

FORGED = tomllib.loads((Path(__file__).parent / "corpora" / "jwt.toml").read_text("utf-8"))[
    "tokens"
]
HASHES = dict(zip(ALGORITHMS, ("sha256", "sha384", "sha512"), strict=True))
PUBLIC = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"
# The moment that the corpus is written for.
WRITTEN_AT = 1_800_000_000
_SIZED = {
    "{257}": "x" * 257,
    "{megabyte}": "x" * 1024 * 1024,
    "{deep}": "[" * 6000,
    "{digits}": "9" * 5000,
}


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def written(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


@dataclass(frozen=True)
class SigningKey:
    """An API key: its account, its sid and its secret."""

    account_sid: str
    sid: str
    secret: str


@dataclass(frozen=True)
class Forge:
    """Makes tokens for one service: good ones with `own`, and every entry of the corpus.

    `other` is another key of the same account, `twin` one of another account.
    """

    own: SigningKey
    other: SigningKey
    twin: SigningKey
    service_sid: str
    now: int

    def good(self, identity: str = "alice") -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of a token that is let in."""
        grants = {"identity": identity, "chat": {"service_sid": self.service_sid}}
        claims = {"jti": f"{self.own.sid}-{self.now}", "iss": self.own.sid}
        claims |= {"sub": self.own.account_sid, "grants": grants}
        times = {"iat": self.now, "nbf": self.now, "exp": self.now + 3600}
        return {"alg": "HS256", "typ": "JWT", "cty": "twilio-fpa;v=1"}, {**claims, **times}

    def token(self, identity: str = "alice") -> str:
        """A token that is let in."""
        return self.joined(*(written(part) for part in self.good(identity)))

    def secret(self, name: str) -> str:
        """What an entry of the corpus signs with."""
        secrets = {"own": self.own.secret, "other": self.other.secret, "twin": self.twin.secret}
        return (secrets | {"empty": "", "sid": self.own.sid, "public": PUBLIC, "jwk": "secret"})[
            name
        ]

    def sign(self, text: str, key: str = "own", algorithm: str = "HS256") -> str:
        """The signature of two parts, as this file alone computes it."""
        return encode(hmac.digest(self.secret(key).encode(), text.encode(), HASHES[algorithm]))

    def joined(self, header: str, claims: str, key: str = "own", algorithm: str = "HS256") -> str:
        """A token of two texts; without an algorithm its signature is empty."""
        text = f"{encode(header.encode())}.{encode(claims.encode())}"
        return f"{text}.{self.sign(text, key, algorithm) if algorithm else ''}"

    def filled(self, text: str) -> str:
        """Return a text of the corpus with its placeholders replaced."""
        words = {
            "{account}": self.own.account_sid,
            "{twin_account}": self.twin.account_sid,
            "{key}": self.own.sid,
            "{twin_key}": self.twin.sid,
            "{service}": self.service_sid,
        }
        for word, value in (words | _SIZED).items():
            text = text.replace(word, value)
        return text

    def made(self, forged: dict[str, Any]) -> str:
        """The text of one entry of the corpus."""
        header, claims = self.good()
        places = {"header": header, "claims": claims}
        places |= {"grants": claims["grants"], "chat": claims["grants"]["chat"]}
        for name, members in places.items():
            members.update(self._at_this_time(forged.get(name, {})))
        for dotted in forged.get("drop", ()):
            place, _, name = dotted.partition(".")
            del places[place][name]
        header_text, claims_text = written(header), written(claims)
        if "header_text" in forged:
            header_text = forged["header_text"].replace("{header}", header_text)
        if "claims_text" in forged:
            claims_text = self._changed_claims(forged["claims_text"], claims)
        algorithm = forged.get("alg", header.get("alg"))
        if algorithm != "" and algorithm not in ALGORITHMS:
            algorithm = "HS256"
        texts = (self.filled(header_text), self.filled(claims_text))
        token = self.joined(*texts, forged.get("key", "own"), algorithm)
        return SHAPES[forged["shape"]](self, token) if "shape" in forged else token

    def _at_this_time(self, members: dict[str, Any]) -> dict[str, Any]:
        """The times of an entry, as far from now as they are from when it was written."""
        moved = {}
        for name, value in members.items():
            is_near = isinstance(value, int) and abs(value - WRITTEN_AT) < 10 * 365 * 86_400
            moved[name] = value - WRITTEN_AT + self.now if is_near else value
        return moved

    def _changed_claims(self, text: str, claims: dict[str, Any]) -> str:
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
            "{nested}": self.token(),
        }
        for word, value in parts.items():
            text = text.replace(word, value)
        return text


# --- Shapes: changes to the encoded token. ------------------------------------------------


def with_signature(change: Callable[[bytes], bytes]) -> Callable[[Forge, str], str]:
    def shape(_: Forge, token: str) -> str:
        text, _, signature = token.rpartition(".")
        return f"{text}.{encode(change(decode(signature)))}"

    return shape


def with_claims(change: Callable[[bytes], bytes]) -> Callable[[Forge, str], str]:
    """Other bytes as claims, and a signature that fits them."""

    def shape(forge: Forge, token: str) -> str:
        header, claims, _ = token.split(".")
        text = f"{header}.{encode(change(decode(claims)))}"
        return f"{text}.{forge.sign(text)}"

    return shape


def with_part(change: Callable[[str], str], place: int = 1) -> Callable[[Forge, str], str]:
    """Another spelling of one part, and a signature that fits that spelling."""

    def shape(forge: Forge, token: str) -> str:
        parts = token.split(".")
        parts[place] = change(parts[place])
        if place != 2:
            parts[2] = forge.sign(f"{parts[0]}.{parts[1]}")
        return ".".join(parts)

    return shape


def padded(part: str) -> str:
    return base64.urlsafe_b64encode(decode(part) + b" " * (len(decode(part)) % 3 == 0)).decode()


def plain_base64(forge: Forge, token: str) -> str:
    header, _, _ = token.split(".")
    unusual = written(forge.good("???>>>ÿÿÿ")[1]).encode()
    claims = base64.b64encode(unusual + b" ~~~???").rstrip(b"=")
    assert set(claims.decode()) & set("+/")
    text = f"{header}.{claims.decode()}"
    return f"{text}.{forge.sign(text)}"


def with_spare_bits(_: Forge, token: str) -> str:
    """Change the signature's last character, whose last two bits have no meaning."""
    return token[:-1] + chr(ord(token[-1]) + 1)


def as_json(_: Forge, token: str) -> str:
    header, claims, signature = token.split(".")
    return written({"protected": header, "payload": claims, "signature": signature})


def of_two(claims_of: str, signature_of: str) -> Callable[[Forge, str], str]:
    def shape(forge: Forge, token: str) -> str:
        header = token.partition(".")[0]
        claims = forge.token(claims_of).split(".")[1]
        return f"{header}.{claims}.{forge.token(signature_of).split('.')[2]}"

    return shape


def simply(change: Callable[[str], str]) -> Callable[[Forge, str], str]:
    return lambda _, token: change(token)


SHAPES: dict[str, Callable[[Forge, str], str]] = {
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
    "null_at_the_end": simply(lambda token: token + "\0"),
    "line_at_the_end": simply(lambda token: token + "\n"),
    "with_scheme": simply(lambda token: f"Bearer {token}"),
    "two_parts": simply(lambda token: token.rpartition(".")[0]),
    "four_parts": simply(lambda token: f"{token}.{token.rpartition('.')[2]}"),
    "five_parts": simply(lambda token: f"{token}.AAAA.AAAA"),
    "two_dots": simply(lambda _: ".."),
    "nothing": simply(lambda _: ""),
    "as_json": as_json,
    "others_signature": of_two("alice", "bob"),
    "others_claims": of_two("bob", "alice"),
}
