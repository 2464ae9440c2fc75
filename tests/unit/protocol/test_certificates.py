"""The local authority: its name constraints, and when a certificate is renewed."""

from __future__ import annotations

import ssl
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from parlour.protocol import certificates
from parlour.protocol.certificates import HOSTED_NAMES, LOCAL_NAMES
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOW_MS = SystemClock().now_ms()
DAY_MS = 24 * 60 * 60 * 1000
NAMES = [*HOSTED_NAMES, *LOCAL_NAMES]
AUTHORITY = certificates.make_authority(NAMES, NOW_MS, b"\x01" * 16)


def _issued(names: Sequence[str] = NAMES, now_ms: int = NOW_MS) -> certificates.CertificatePair:
    return certificates.make_certificate(AUTHORITY, names, now_ms, b"\xff" * 20)


def _shakes_hands(server: certificates.CertificatePair, name: str, folder: Path) -> None:
    """TLS between a client that trusts the authority and a server, in memory."""
    (folder / "pair.pem").write_bytes(server.certificate_pem + server.key_pem)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "pair.pem")
    trusting = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(back, there, server_hostname=name)
    served = serving.wrap_bio(there, back, server_side=True)
    for _ in range(5):
        for side in (client, served):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_authority_accepts_each_name(name: str, tmp_path: Path) -> None:
    _shakes_hands(_issued(), name, tmp_path)


@pytest.mark.parametrize("name", ["example.com", "twilio.com", "console.twilio.com", "127.0.0.2"])
def test_the_authority_cannot_vouch_for_another_name(name: str, tmp_path: Path) -> None:
    # Made with the authority's key, as a thief of the key would.
    stolen = _issued([name])
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        _shakes_hands(stolen, name, tmp_path)


def test_the_lifetimes_are_those_of_the_limits() -> None:
    authority, server = AUTHORITY.certificate, _issued().certificate
    hour = timedelta(hours=1)
    for each, days in ((authority, limits.AUTHORITY_DAYS), (server, limits.CERTIFICATE_DAYS)):
        assert each.not_valid_after_utc - each.not_valid_before_utc == timedelta(days=days) + hour


def test_a_certificate_does_not_outlive_its_authority() -> None:
    late = _issued(now_ms=NOW_MS + (limits.AUTHORITY_DAYS - 10) * DAY_MS)
    assert late.expires == AUTHORITY.expires


def test_a_certificate_serves_until_its_last_days() -> None:
    pair, renewed = _issued(), limits.CERTIFICATE_DAYS - limits.CERTIFICATE_RENEWED_DAYS
    assert certificates.is_valid_for(pair, AUTHORITY, NAMES, NOW_MS)
    assert certificates.is_valid_for(pair, AUTHORITY, NAMES, NOW_MS + (renewed - 1) * DAY_MS)
    assert not certificates.is_valid_for(pair, AUTHORITY, NAMES, NOW_MS + renewed * DAY_MS)


def test_a_certificate_of_other_names_or_of_another_authority_does_not_serve() -> None:
    other = certificates.make_authority(NAMES, NOW_MS, b"\x02" * 16)
    # The name of the first, but not its key.
    double = certificates.make_authority(NAMES, NOW_MS, b"\x01" * 16)
    assert not certificates.is_valid_for(_issued(), AUTHORITY, NAMES[:-1], NOW_MS)
    assert not certificates.is_valid_for(_issued(), other, NAMES, NOW_MS)
    assert not certificates.is_valid_for(_issued(), double, NAMES, NOW_MS)


def test_the_authority_has_name_constraints() -> None:
    assert certificates.permits_names(AUTHORITY, NAMES)
    assert certificates.permits_names(AUTHORITY, ["::1", "api.twilio.com"])
    assert not certificates.permits_names(AUTHORITY, ["localhost", "example.com"])


def test_the_authority_is_over_in_its_last_day() -> None:
    end = NOW_MS + limits.AUTHORITY_DAYS * DAY_MS
    assert not certificates.is_expiring(AUTHORITY, end - 2 * DAY_MS)
    assert certificates.is_expiring(AUTHORITY, end - DAY_MS // 2)


def test_a_pair_survives_its_files_and_half_of_another_is_refused() -> None:
    pair, other = _issued(), _issued()
    again = certificates.parse_pair(pair.certificate_pem, pair.key_pem)
    assert again.fingerprint == pair.fingerprint
    with pytest.raises(ValueError, match="another certificate"):
        certificates.parse_pair(pair.certificate_pem, other.key_pem)
    with pytest.raises(ValueError, match=r"PEM"):
        certificates.parse_pair(b"no certificate", pair.key_pem)


def test_serial_numbers_are_positive_and_short_enough() -> None:
    for serial in (b"\x00" * 16, b"\xff" * 20):
        number = certificates.make_authority(NAMES, NOW_MS, serial).certificate.serial_number
        assert 0 < number < 2**159


def test_a_certificate_is_for_servers_and_cannot_sign_others() -> None:
    extensions = _issued().certificate.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
