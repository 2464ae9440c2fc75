"""Signatures: published samples, the official validator, and URLs that cannot be signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Literal
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from parlour.protocol.egress_policy import EgressRefused
from parlour.protocol.signatures import (
    PreparedUrl,
    hash_body,
    is_signed,
    is_signed_json,
    prepare_json_url,
    prepare_url,
    sign,
    write_form,
)

# Any text serves as a key; this one is not in use.
KEY = "8f5d2c1b7a6e49d0" + "b3c8e7f1a2b4c6d8"
ZEROS = "0" * 31 + "1"
PAIRS = [
    ("AccountSid", "AC" + ZEROS),
    ("Attributes", '{"k":"v"}'),
    ("Author", "alice"),
    ("Body", "Grüße & 50% off"),
    ("ChatServiceSid", "IS" + ZEROS),
    ("ClientIdentity", "alice"),
    ("ConversationSid", "CH" + ZEROS),
    ("DateCreated", "2026-01-02T03:04:05.678Z"),
    ("EventType", "onMessageAdded"),
    ("Index", "0"),
    ("MessageSid", "IM" + ZEROS),
    ("MessagingServiceSid", "MG" + ZEROS),
    ("ParticipantSid", "MB" + ZEROS),
    ("RetryCount", "0"),
    ("Source", "SDK"),
]
QUERY = (
    f"AccountSid=AC{ZEROS}&Attributes=%7B%22k%22%3A%22v%22%7D&Author=alice"
    f"&Body=Gr%C3%BC%C3%9Fe+%26+50%25+off&ChatServiceSid=IS{ZEROS}&ClientIdentity=alice"
    f"&ConversationSid=CH{ZEROS}&DateCreated=2026-01-02T03%3A04%3A05.678Z"
    f"&EventType=onMessageAdded&Index=0&MessageSid=IM{ZEROS}&MessagingServiceSid=MG{ZEROS}"
    f"&ParticipantSid=MB{ZEROS}&RetryCount=0&Source=SDK"
)
JSON_BODY = (
    '[{"specversion":"1.0","type":"com.twilio.eventstreams.test-event","source":"Sink",'
    f'"id":"AC{ZEROS}",'
    '"dataschema":"https://events-schemas.twilio.com/EventStreams.TestSink/1.json",'
    '"datacontenttype":"application/json","time":"2026-01-02T03:04:05.678Z",'
    '"data":{"test_id":"95001c1e-5b8e-45f5-830d-f9cbf1d16420"}}]'
).encode()


def received(url: PreparedUrl) -> str:
    """Return the URL as a receiver reassembles it from the request."""
    return url.scheme + "://" + url.host_header + url.target


def test_the_documented_sample_has_the_documented_signature() -> None:
    pairs = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675310"),
        ("Digits", "1234"),
        ("From", "+14158675310"),
        ("To", "+18005551212"),
    ]
    url = prepare_url("https://example.com/myapp.php?foo=1&bar=2")
    assert sign("12345", url.signed_url, pairs) == "L/OH5YylLD5NRKLltdqwSvS0BnU="


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        ("https://hooks.example.com/conv?tenant=7", "0LtVt/VoaZGlWER2pA6UhXzKfK8="),
        ("https://hooks.example.com:8443/conv", "+fI/doa5cuDlWeiSSS8UdFrmjoQ="),
        ("https://user:pw@hooks.example.com/conv", "NB1vp3y7E8YvDUYgp94EsqgbI7Q="),
        ("http://127.0.0.1:9000/hook", "WofAsvWWv/ZSh3MIhCNONAxerjg="),
    ],
)
def test_a_posted_form_has_the_known_signature(url: str, signature: str) -> None:
    assert sign(KEY, prepare_url(url).signed_url, PAIRS) == signature
    assert sign(KEY, prepare_url(url).signed_url, reversed(PAIRS)) == signature


def test_the_query_of_a_get_request_is_signed_as_it_is_sent() -> None:
    url = prepare_url("https://hooks.example.com/conv?tenant=7", PAIRS)
    assert url.target == "/conv?tenant=7&" + QUERY
    assert sign(KEY, url.signed_url) == "oT4we1ocQSRaatQg/9l1zdh64OA="


def test_the_algorithm_may_be_sha256() -> None:
    url = prepare_url("https://hooks.example.com/conv?tenant=7")
    expected = "gXfV9XChepzrYJyjZkEasqIb9Q357XTGM668ZgiMWnQ="
    assert sign(KEY, url.signed_url, PAIRS, "sha256") == expected


def test_a_json_body_is_signed_through_its_hash_in_the_url() -> None:
    url = prepare_json_url("https://hooks.example.com/conv?tenant=7", JSON_BODY)
    digest = "2cd3b41907907a9340b805101562746c7bc58620c2828497c99f576dd09b1c1c"
    assert url.target == f"/conv?tenant=7&bodySHA256={digest}"
    assert sign(KEY, url.signed_url) == "qYGJsHkF9mlg+BJFR3i2pq9qcjI="


def test_values_of_one_name_count_once_each_in_order() -> None:
    pairs = [("a", "2"), ("a", "1"), ("a", "2"), ("B", "x")]
    message = "http://h.test/" + "Bx" + "a1" + "a2"
    expected = base64.b64encode(hmac.digest(b"key", message.encode(), hashlib.sha1)).decode()
    assert sign("key", "http://h.test/", pairs) == expected


@pytest.mark.parametrize(
    ("configured", "host_header", "target"),
    [
        ("https://h.test", "h.test", "/"),
        ("https://h.test?a=1", "h.test", "/?a=1"),
        ("https://h.test/p?", "h.test", "/p"),
        ("https://h.test:/p", "h.test", "/p"),
        ("https://h.test:443/p", "h.test:443", "/p"),
        ("http://h.test:80/p", "h.test:80", "/p"),
        ("http://h.test:0080/p", "h.test:0080", "/p"),
        ("https://u:p@h.test/p#rc=2&ct=100", "h.test", "/p"),
        ("https://h.test/p#a?b=c", "h.test", "/p"),
        ("https://h.test/p?a=1?b#c#d", "h.test", "/p?a=1?b"),
        ("https://Hooks.Example.com/Path", "Hooks.Example.com", "/Path"),
        ("https://h.test./p", "h.test.", "/p"),
        ("https://h.test/it's/%7e/%zz/a%20b", "h.test", "/it's/%7e/%zz/a%20b"),
        ("https://h.test/a b?c=d e", "h.test", "/a%20b?c=d%20e"),
        ("https://h.test/straße?q=ü", "h.test", "/stra%C3%9Fe?q=%C3%BC"),
        ("https://bücher.example/p", "xn--bcher-kva.example", "/p"),
        ("https://[2001:DB8::1]:8443/p", "[2001:DB8::1]:8443", "/p"),
        ("http://127.1/p", "127.1", "/p"),
    ],
)
def test_the_sent_bytes_are_the_signed_ones(configured: str, host_header: str, target: str) -> None:
    url = prepare_url(configured)
    assert (url.host_header, url.target) == (host_header, target)
    assert url.signed_url == received(url)


def test_the_scheme_is_written_in_lower_case() -> None:
    assert prepare_url("HTTPS://h.test/").signed_url == "https://h.test/"


@pytest.mark.parametrize(
    ("configured", "joined"),
    [
        ("http://h.test", "/?a=b+c"),
        ("http://h.test/?", "/?a=b+c"),
        ("http://h.test/?x", "/?x&a=b+c"),
        ("http://h.test/?x=1&", "/?x=1&&a=b+c"),
        ("http://h.test/?x=1#f", "/?x=1&a=b+c"),
    ],
)
def test_pairs_are_appended_to_an_existing_query(configured: str, joined: str) -> None:
    assert prepare_url(configured, [("a", "b c")]).target == joined


def test_the_form_encoding_quotes_all_but_plain_characters() -> None:
    pairs = [("MessagingBinding.Address", "+1 555"), ("Ä-_.~", "a/b&c=d%"), ("e", "")]
    assert write_form(pairs) == ("MessagingBinding.Address=%2B1+555&%C3%84-_.~=a%2Fb%26c%3Dd%25&e=")


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"]))] * 2)))
def test_the_form_encoding_is_the_usual_one(pairs: list[tuple[str, str]]) -> None:
    assert write_form(pairs) == urlencode(pairs)
    assert parse_qsl(write_form(pairs), keep_blank_values=True) == pairs


@pytest.mark.parametrize(
    ("configured", "port"),
    [("http://h.test/", 80), ("https://h.test/", 443), ("https://h.test:65535/", 65535)],
)
def test_the_port_is_the_schemes_unless_it_is_given(configured: str, port: int) -> None:
    assert prepare_url(configured).port == port


@pytest.mark.parametrize(
    ("configured", "authorization"),
    [
        ("https://h.test/", None),
        ("https://@h.test/", None),
        ("https://user:pass@h.test/", "Basic dXNlcjpwYXNz"),
        ("https://user@h.test/", "Basic dXNlcjo="),
        ("https://us%3Aer:p%40:ss@h.test/", "Basic dXM6ZXI6cEA6c3M="),
        ("https://ü:x@h.test/", "Basic w7w6eA=="),
    ],
)
def test_user_information_becomes_basic_credentials(
    configured: str, authorization: str | None
) -> None:
    url = prepare_url(configured)
    assert url.authorization == authorization
    assert "@" not in url.signed_url


def test_the_fragment_is_handed_on_and_not_sent() -> None:
    url = prepare_url("https://h.test/p#rc=2")
    assert url.fragment == "rc=2"
    assert prepare_url("https://h.test/p").fragment is None


@pytest.mark.parametrize(
    "configured",
    [
        "",
        "h.test/p",
        "//h.test/p",
        "http:/h.test/p",
        "http://",
        "http:///p",
        "http://:80/p",
        "http://user@/p",
        "ftp://h.test/p",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://h.test:0/p",
        "http://h.test:65536/p",
        "http://h.test:http/p",
        "http://h.test:+80/p",
        "http://h.test:-1/p",
        "http://a@b@h.test/p",
        "http://a.test\\@h.test/p",
        "http://a.test \\h.test/p",
        "http://h .test/p",
        "http://h.test/p\r\nX: y",
        "http://h.test/p\nX: y",
        "http://h.test/p\x00",
        "http://h.test/\x7f",
        "http://h.test/\ud800",
        "\thttp://h.test/",
        " http://h.test/",
        "http://[::1/p",
        "http://::1/p",
        "http://[::1]x/p",
        "http://[::1]:8:9/p",
        "http://[fe80::1%25eth0]/p",
        "http://h%2etest/p",
        "http://h..test/p",
        "http://-h.test/p",
        "http://" + "a" * 64 + ".test/p",
        "http://" + "a." * 127 + "test/p",
        "http://faß.example/p",
        "http://1.2.3.4.5/p",
    ],
)
def test_an_unusable_url_is_rejected_permanently(configured: str) -> None:
    with pytest.raises(EgressRefused) as caught:
        prepare_url(configured)
    assert caught.value.is_final
    assert caught.value.code in {11200, 11210}


# --- Checking ---------------------------------------------------------------------------

URL = "https://me.test/callback?a=1"


def test_a_signature_of_the_key_is_accepted() -> None:
    assert is_signed(KEY, URL, sign(KEY, URL, PAIRS), PAIRS)
    assert is_signed(KEY, URL, sign(KEY, URL, PAIRS, "sha256"), PAIRS, "sha256")


def test_another_key_url_pair_or_algorithm_is_refused() -> None:
    signature = sign(KEY, URL, PAIRS)
    assert not is_signed("other", URL, signature, PAIRS)
    assert not is_signed(KEY, URL + "2", signature, PAIRS)
    assert not is_signed(KEY, URL, signature, [*PAIRS, ("New", "x")])
    assert not is_signed(KEY, URL, signature, PAIRS[1:])
    assert not is_signed(KEY, URL, signature, PAIRS, "sha256")


@pytest.mark.parametrize("signature", ["", "é\ud800", "=", "A" * 10_000])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    assert not is_signed(KEY, URL, signature, PAIRS)


@pytest.mark.parametrize(
    ("signed_url", "url"),
    [
        ("https://me.test:443/p", "https://me.test/p"),
        ("https://me.test/p", "https://me.test:443/p"),
        ("http://me.test:80/p", "http://me.test/p"),
        ("https://me.test/p", "https://me.test:8443/p"),
        ("https://[::1]/p", "https://[::1]:8443/p"),
    ],
)
def test_the_port_may_be_signed_or_not(signed_url: str, url: str) -> None:
    assert is_signed(KEY, url, sign(KEY, signed_url))


@pytest.mark.parametrize("url", ["no url", "ftp://me.test/", "http://[::1/"])
def test_an_odd_url_is_checked_as_it_is(url: str) -> None:
    assert is_signed(KEY, url, sign(KEY, url))
    assert not is_signed(KEY, url, sign(KEY, url + "x"))


def test_a_json_body_must_match_its_signature() -> None:
    url = URL + "&bodySHA256=" + hash_body(JSON_BODY)
    signature = sign(KEY, url)
    assert is_signed_json(KEY, url, signature, JSON_BODY)
    assert is_signed_json(KEY, url, sign(KEY, url, (), "sha256"), JSON_BODY, "sha256")
    assert not is_signed_json(KEY, url, signature, JSON_BODY + b" ")
    assert not is_signed_json(KEY, URL, sign(KEY, URL), JSON_BODY)
    assert not is_signed_json("other", url, signature, JSON_BODY)


# --- The official validator on generated requests ---------------------------------------

LABELS = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True).filter(
    lambda label: not label.startswith("xn--")
)
HOSTS = st.one_of(
    st.lists(LABELS, min_size=1, max_size=3).map(".".join),
    st.lists(LABELS, min_size=2, max_size=2).map(lambda labels: ".".join(labels).title()),
    st.sampled_from(["bücher.example", "例え.example", "127.0.0.1", "[::1]", "[2001:db8::A]"]),
)
PORTS = st.one_of(st.just(""), st.sampled_from([":", ":80", ":443", ":8443", ":08080"]))
USERS = st.one_of(st.just(""), st.sampled_from(["user@", "user:pass@", "%40:a%2Fb@", "@"]))
# Not a semicolon: the validator treats the text after the last one as a separate part, and drops an
# empty one.
PATH_TEXT = st.text(
    st.one_of(
        st.sampled_from("abcXYZ019-._~!$'()*,=:@/%+ \"<>^`{|}[]&"),
        st.characters(min_codepoint=0xA0, exclude_categories=["Cs", "Cc"]),
    ),
    max_size=12,
)
PATHS = st.one_of(st.just(""), PATH_TEXT.map(lambda text: "/" + text))
QUERIES = st.one_of(
    st.just(""), st.just("?"), PATH_TEXT.map(lambda text: "?q=" + text), st.just("?a=1&a=2&")
)
FRAGMENTS = st.one_of(st.just(""), st.sampled_from(["#", "#rc=2", "#a?b"]))
SCHEMES = st.sampled_from(["http", "https", "HTTPS"])
URLS = st.builds(
    lambda scheme, *rest: scheme + "://" + "".join(rest),
    SCHEMES, USERS, HOSTS, PORTS, PATHS, QUERIES, FRAGMENTS,
)  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.one_of(
    st.sampled_from([name for name, _ in PAIRS]), st.text("aAbB.zZ_019", min_size=1, max_size=6)
)
FORMS = st.lists(st.tuples(NAMES, TEXTS), max_size=8)
KEYS = st.one_of(st.just(KEY), TEXTS)
VARIANTS = st.sampled_from(["form", "get", "json"])
ALGORITHMS = st.sampled_from(["sha1", "sha256"])


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(URLS, FORMS, KEYS, st.tuples(VARIANTS, ALGORITHMS), TEXTS)
def test_the_official_validator_accepts_generated_requests(
    configured: str,
    pairs: list[tuple[str, str]],
    key: str,
    kind: tuple[str, Literal["sha1", "sha256"]],
    body: str,
) -> None:
    variant, algorithm = kind
    validator = RequestValidator(key)
    name = {"sha1": "HMAC_SHA1", "sha256": "HMAC_SHA256"}[algorithm]
    parameters: object
    signed_pairs: list[tuple[str, str]] = []
    if variant == "form":
        url, signed_pairs, parameters = prepare_url(configured), pairs, MultiDict(pairs)
    elif variant == "get":
        url, parameters = prepare_url(configured, pairs), {}
    else:
        url, parameters = prepare_json_url(configured, body.encode()), body
    signature = sign(key, url.signed_url, signed_pairs, algorithm)
    assert validator.validate(received(url), parameters, signature, name)
    assert not validator.validate(received(url) + "x", parameters, signature, name)
    # On the wire there is nothing but printable ASCII, and the request line has two spaces.
    line = url.host_header + url.target
    assert line.isascii()
    assert line.isprintable()
    assert " " not in line
    assert is_signed(key, received(url), signature, signed_pairs, algorithm)


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_is_a_url_or_is_refused(text: str) -> None:
    for configured in (text, "http://" + text, "http://h.test/" + text):
        try:
            url = prepare_url(configured)
        except EgressRefused:
            continue
        assert received(url).isascii()
        assert not set("\r\n \0") & set(received(url))
