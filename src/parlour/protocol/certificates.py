"""A local certificate authority for programs with a fixed base URL.

Such a program reaches this server by DNS if it trusts a certificate for the hosted name. The
authority is generated per installation, and its certificate has name constraints, which clients
check: it can sign for these few names only. A stolen key impersonates only these names, and only to
clients that trust this authority.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSTED_NAMES: Final = (
    "conversations.twilio.com",
    "conversations.us1.twilio.com",
    "tsock.us1.twilio.com",
    "aim.us1.twilio.com",
    "cds.us1.twilio.com",
    "ers.us1.twilio.com",
    "mcs.us1.twilio.com",
    "content.twilio.com",
    "api.twilio.com",
)
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")

_SHA: Final = hashes.SHA256()


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate and the private key that belongs to it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key as text, without a passphrase."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def expires(self) -> datetime:
        """The time at which it expires."""
        return self.certificate.not_valid_after_utc

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint, as browsers show it."""
        return self.certificate.fingerprint(_SHA).hex(":").upper()


def parse_pair(certificate: bytes, key: bytes) -> CertificatePair:
    """Return the pair of two PEM files. Raises ValueError if they are invalid or no pair."""
    loaded = serialization.load_pem_private_key(key, password=None)
    found = x509.load_pem_x509_certificate(certificate)
    is_pair = found.public_key() == loaded.public_key()
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or not is_pair:
        raise ValueError("the key belongs to another certificate")
    return CertificatePair(found, loaded)


def make_authority(names: Sequence[str], now_ms: int, serial: bytes) -> CertificatePair:
    """Return a new authority that can sign for these names only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _common_name(f"Parlour local authority {serial.hex()[:8]}")
    builder = (
        _builder(name, name, now_ms, serial, limits.AUTHORITY_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.NameConstraints([_subtree(each) for each in names], None), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return CertificatePair(builder.sign(key, _SHA), key)


def make_certificate(
    authority: CertificatePair, names: Sequence[str], now_ms: int, serial: bytes
) -> CertificatePair:
    """Return a server certificate for these names that expires before the authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    days_left = (authority.expires - _moment(now_ms)).days
    days = min(limits.CERTIFICATE_DAYS, days_left)
    builder = (
        _builder(_common_name(names[0]), issuer.subject, now_ms, serial, days)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
    )
    return CertificatePair(builder.sign(authority.key, _SHA), key)


def permits_names(authority: CertificatePair, names: Sequence[str]) -> bool:
    """Return whether the authority can sign for all of these names."""
    constraints = authority.certificate.extensions.get_extension_for_class(x509.NameConstraints)
    permitted = constraints.value.permitted_subtrees or []
    return all(_subtree(each) in permitted for each in names)


def is_valid_for(
    pair: CertificatePair, authority: CertificatePair, names: Sequence[str], now_ms: int
) -> bool:
    """Return whether a certificate is of this authority, for these names, not due for renewal."""
    try:
        pair.certificate.verify_directly_issued_by(authority.certificate)
    except (InvalidSignature, ValueError):
        return False
    found = pair.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    renewal = pair.expires - timedelta(days=limits.CERTIFICATE_RENEWED_DAYS)
    return list(found.value) == [_name(each) for each in names] and _moment(now_ms) < renewal


def is_expiring(pair: CertificatePair, now_ms: int) -> bool:
    """Return whether it expires within a day."""
    return _moment(now_ms) + timedelta(days=1) > pair.expires


def expires_ms(certificate: bytes) -> int:
    """Return the expiry of any certificate, in milliseconds since 1970-01-01 UTC."""
    found = x509.load_pem_x509_certificate(certificate)
    return int(found.not_valid_after_utc.timestamp() * 1000)


def _builder(
    subject: x509.Name, issuer: x509.Name, now_ms: int, serial: bytes, days: int
) -> x509.CertificateBuilder:
    # Tolerates a client with a slow clock, in a container or a virtual machine.
    begin = _moment(now_ms) - timedelta(hours=1)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        # A serial number is positive, and has 20 bytes at most.
        serial_number=(int.from_bytes(serial[:19], "big") >> 1) + 1,
        not_valid_before=begin,
        not_valid_after=_moment(now_ms) + timedelta(days=days),
    )


def _moment(now_ms: int) -> datetime:
    return datetime.fromtimestamp(now_ms // 1000, UTC)


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _subtree(text: str) -> x509.GeneralName:
    """Return a permitted subtree: a name with its subdomains, or one address."""
    try:
        return x509.IPAddress(ipaddress.ip_network(text))
    except ValueError:
        return x509.DNSName(text)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
