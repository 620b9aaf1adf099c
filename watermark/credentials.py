"""A self-made certificate chain for content credentials: root, issuing CA, claim signer.

The default for a site without a certificate of the C2PA conformance programme: readers that are given the
root trust it, all others show the signer as unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from watermark.errors import CredentialError

ROOT_DAYS, ISSUING_DAYS, LEAF_DAYS = 3650, 1825, 365
ORGANISATION_MAX = 64  # RFC 5280, ub-organization-name
_SKEW = timedelta(minutes=5)  # a reader's clock may be behind


@dataclass(frozen=True, slots=True)
class ClaimSigner:
    """Who signs: leaf and issuing certificate as PEM, and a callable that signs octets.

    ``sign`` returns the DER signature of ECDSA P-256 with SHA-256; the key may live in an HSM or a KMS.
    """

    chain_pem: str
    sign: Callable[[bytes], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CredentialChain:
    """Certificates and keys as PEM texts. The keys of root and issuing CA belong offline."""

    root_pem: str
    issuing_pem: str
    leaf_pem: str
    root_key_pem: str = field(repr=False)
    issuing_key_pem: str = field(repr=False)
    leaf_key_pem: str = field(repr=False)

    @property
    def chain_pem(self) -> str:
        """What goes into every file: leaf, then issuing CA."""
        return self.leaf_pem + self.issuing_pem

    def signer(self) -> ClaimSigner:
        """The claim signer of the key that is in this value."""
        return ClaimSigner(self.chain_pem, local_signature(self.leaf_key_pem))


def local_signature(key_pem: str) -> Callable[[bytes], bytes]:
    """A signing callable over a PKCS 8 key that is held in memory.

    Raises:
        CredentialError: it is not an ECDSA P-256 key.
    """
    try:
        key = load_pem_private_key(key_pem.encode(), None)
    except (ValueError, TypeError) as error:
        raise CredentialError(f"The signing key cannot be read: {error}.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CredentialError("The signing key is not an ECDSA key on P-256.")
    return lambda octets: key.sign(octets, ec.ECDSA(SHA256()))


def make_chain(organisation: str, now: datetime, *, country: str = "CN") -> CredentialChain:
    """A new chain of ES256 keys; the EKU of the leaf, emailProtection, needs no further setup in readers.

    Raises:
        CredentialError: the names cannot stand in a certificate.
    """
    if not 0 < len(organisation) <= ORGANISATION_MAX:
        raise CredentialError(f"{len(organisation)} characters are no organisation for a certificate.")
    try:
        return _chain(organisation, now, country)
    except ValueError as error:
        raise CredentialError(f"No certificate can be made for {organisation!r}: {error}.") from error


def _chain(organisation: str, now: datetime, country: str) -> CredentialChain:
    root_key, issuing_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    names = [_name(country, organisation, role) for role in ("Root CA", "Issuing CA", "Claim Signer")]
    root = _authority(names[0], root_key, names[0], root_key, now, ROOT_DAYS, None)
    issuing = _authority(names[1], issuing_key, names[0], root_key, now, ISSUING_DAYS, 0)
    leaf = _leaf(names[2], leaf_key, names[1], issuing_key, now)
    certificates = [c.public_bytes(Encoding.PEM).decode() for c in (root, issuing, leaf)]
    keys = [
        k.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        for k in (root_key, issuing_key, leaf_key)
    ]
    return CredentialChain(*certificates, *keys)


def _name(country: str, organisation: str, role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Likeness {role}"),
        ]
    )


def _builder(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority, critical=False)
    )


def _authority(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int,
    path_length: int | None,
) -> x509.Certificate:
    return (
        _builder(subject, key, issuer, issuer_key, now, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(issuer_key, SHA256())
    )


def _leaf(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    return (
        _builder(subject, key, issuer, issuer_key, now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .sign(issuer_key, SHA256())
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
