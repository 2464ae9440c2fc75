"""Digest authentication: the examples of the standards, and challenges that are not answered."""

from __future__ import annotations

import hashlib
import re

import pytest

from parlour.protocol.digest_authentication import answer_challenge
from parlour.vocabulary import limits

# RFC 7616, section 3.9.1.
MUFASA = ("Mufasa", "Circle of Life")
TARGET = "/dir/index.html"
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CLIENT_NONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
SHARED = f'realm="http-auth@example.org", qop="auth, auth-int", nonce="{NONCE}", opaque="{OPAQUE}"'
MD5 = "8ca523f5e9506fed4657c9700eebdbec"
SHA_256 = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def answered(*challenges: str, user: tuple[str, str] = MUFASA, method: str = "GET") -> str | None:
    return answer_challenge(challenges, user, method, TARGET, CLIENT_NONCE)


def field(text: str | None, name: str) -> str:
    assert text is not None
    found = re.search(rf'\b{name}="?([^",]*)"?', text)
    assert found is not None, text
    return found[1]


@pytest.mark.parametrize(("algorithm", "response"), [("MD5", MD5), ("SHA-256", SHA_256)])
def test_the_example_of_the_standard(algorithm: str, response: str) -> None:
    assert answered(f"Digest {SHARED}, algorithm={algorithm}") == (
        f'Digest username="Mufasa", realm="http-auth@example.org", nonce="{NONCE}",'
        f' uri="{TARGET}", algorithm={algorithm}, opaque="{OPAQUE}", qop=auth, nc=00000001,'
        f' cnonce="{CLIENT_NONCE}", response="{response}"'
    )


def test_without_an_algorithm_it_is_md5_and_none_is_named() -> None:
    made = answered(f"Digest {SHARED}")
    assert field(made, "response") == MD5
    assert made is not None
    assert "algorithm" not in made


def test_without_qop_the_response_follows_rfc_2069() -> None:
    """The user of RFC 2617's example, authenticated by RFC 2069."""
    challenge = 'digest realm="testrealm@host.com",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    made = answered(challenge, user=("Mufasa", "Circle Of Life"))
    assert field(made, "response") == "670fd8c2df070c60b045671b8b24ff02"
    assert made is not None
    assert "qop" not in made
    assert "cnonce" not in made
    assert "opaque" not in made


def test_a_session_key_is_used_for_sess_algorithms() -> None:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    secret = md5("Mufasa:http-auth@example.org:Circle of Life")
    key = md5(f"{secret}:{NONCE}:{CLIENT_NONCE}")
    request = md5(f"POST:{TARGET}")
    expected = md5(f"{key}:{NONCE}:00000001:{CLIENT_NONCE}:auth:{request}")
    made = answered(f"Digest {SHARED}, algorithm=MD5-sess", method="POST")
    assert field(made, "response") == expected


def test_the_strongest_of_several_is_answered() -> None:
    weak, strong = f"Digest {SHARED}, algorithm=MD5", f"Digest {SHARED}, algorithm=SHA-256"
    both = f'Basic realm="a, b", {weak}, {strong}, Bearer realm="x"'
    for challenges in ([weak, strong], [strong, weak], [both]):
        assert field(answered(*challenges), "response") == SHA_256


def test_quotes_and_letters_beyond_ascii() -> None:
    challenge = r'Digest realm="the \"inner\" \\ ring", nonce="n"'
    made = answered(challenge, user=("jürgen", "p"))
    assert made is not None
    assert r'realm="the \"inner\" \\ ring"' in made
    assert made.encode("latin-1").decode().startswith('Digest username="jürgen"')


@pytest.mark.parametrize(
    "challenge",
    [
        'Basic realm="x"',
        "Digest",
        'Digest nonce="n"',
        'Digest realm="r"',
        'Digest realm="r", nonce="n", algorithm=SHA-512-256',
        'Digest realm="r", nonce="n", qop="auth-int"',
        'Digest realm="r", nonce="' + "n" * limits.CHALLENGE_CHARS_MAX + '"',
        'NotDigest realm="r", nonce="n"',
        "",
    ],
)
def test_an_unsupported_challenge_is_not_answered(challenge: str) -> None:
    assert answered(challenge) is None


def test_without_a_challenge_there_is_no_response() -> None:
    assert answered() is None


@pytest.mark.parametrize("control", ["\0", "\n", "\r", "\x1f", "\x7f"])
def test_a_user_name_with_a_control_character_is_not_written_to_a_header(control: str) -> None:
    assert answered(f"Digest {SHARED}", user=(f"a{control}b", "c")) is None
    assert answered(f"Digest {SHARED}", user=("ab", f"c{control}")) is not None
