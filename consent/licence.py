"""The likeness licence: one closed-world JSON object, its canonical bytes, its signature and its scope.

Not listed means refused. The object's identity is the SHA-256 of its canonical bytes (RFC 8785); the platform
signs ``likeness/licence/v1\\n`` and these bytes with Ed25519.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.catalogue import Product
from consent.errors import Fault, LicenceInvalidError, LicenceTamperedError
from consent.lint import document_faults
from consent.schema import SCHEMA

SIGNATURE_CONTEXT = b"likeness/licence/v1\n"
MAX_DOCUMENT_BYTES = 65_536
"""Far above any licence (a full one has 3 KB); stops a huge body before it is parsed."""


@dataclass(frozen=True, slots=True)
class Use:
    """What somebody wants to do with a likeness; a value that no catalogue lists is refused."""

    operation: str
    purpose: str
    channel: str
    territory: str
    language: str
    seconds: int
    product: str = ""
    live: bool = False


@dataclass(frozen=True, slots=True)
class Licence:
    """A valid licence document; ``document`` is the parsed JSON, ``canonical`` its signed bytes."""

    canonical: bytes
    document: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """The licence's identity: SHA-256 of the canonical bytes, hex."""
        return hashlib.sha256(self.canonical).hexdigest()

    @property
    def not_before(self) -> datetime:
        """First moment of the term."""
        return datetime.fromisoformat(self.document["term"]["not_before"])

    @property
    def not_after(self) -> datetime:
        """Last moment of the term."""
        return datetime.fromisoformat(self.document["term"]["not_after"])

    @property
    def material(self) -> tuple[str, ...]:
        """SHA-256 of each licensed portrait, in the document's order."""
        return tuple(entry["sha256"] for entry in self.document["material"])


def canonical(document: Mapping[str, Any]) -> bytes:
    """The bytes that are hashed and signed: RFC 8785."""
    return bytes(rfc8785.dumps(dict(document)))


def check(document: object) -> Licence:
    """A licence from a parsed document.

    Raises:
        LicenceInvalidError: any field missing, unknown, of the wrong type or outside its catalogue; an
            operation without its separate consents; a term that ends before it begins.
    """
    faults = tuple(SCHEMA(document, "$"))
    if not faults and isinstance(document, dict):
        faults = tuple(document_faults(document))
    if faults or not isinstance(document, dict):
        raise LicenceInvalidError(faults)
    return Licence(canonical(document), document)


def parse(data: bytes) -> Licence:
    """A licence from its canonical bytes; bytes that are valid JSON but not canonical are refused.

    Raises:
        LicenceInvalidError: not JSON, not canonical, or not valid by the schema.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise LicenceInvalidError((Fault("$", "size", f"has more than {MAX_DOCUMENT_BYTES} bytes"),))
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LicenceInvalidError((Fault("$", "json", "is not JSON"),)) from error
    licence = check(document)
    if licence.canonical != data:  # also catches a key that is there twice
        raise LicenceInvalidError((Fault("$", "canonical", "is not in canonical form (RFC 8785)"),))
    return licence


def sign(licence: Licence, *, seed: bytes) -> bytes:
    """The platform's Ed25519 signature over the canonical bytes."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(SIGNATURE_CONTEXT + licence.canonical)


def public_key(seed: bytes) -> bytes:
    """The 32 bytes that check ``sign``."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def open_signed(data: bytes, *, sha256: str, signature: bytes, public: bytes) -> Licence:
    """The licence of stored bytes, after hash, signature and schema were checked.

    Raises:
        LicenceTamperedError: any of the three does not hold.
    """
    if hashlib.sha256(data).hexdigest() != sha256:
        raise LicenceTamperedError("The licence's bytes do not have the recorded SHA-256.")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, SIGNATURE_CONTEXT + data)
        return parse(data)
    except InvalidSignature as error:
        raise LicenceTamperedError("The licence's signature does not hold.") from error
    except LicenceInvalidError as error:
        raise LicenceTamperedError(f"The signed bytes are not a valid licence: {error}") from error


def permits(licence: Licence, use: Use, now: datetime) -> tuple[str, ...]:
    """Every reason why the use is refused; empty means allowed. An unknown value is a refusal."""
    grant = licence.document["grant"]
    listed = (
        ("scope.operation", use.operation, grant["operations"]),
        ("scope.purpose", use.purpose, grant["purposes"]),
        ("scope.channel", use.channel, grant["channels"]),
        ("scope.territory", use.territory, grant["territories"]),
        ("scope.language", use.language, grant["languages"]),
    )
    reasons = [code for code, value, values in listed if value not in values]
    offered = set(Product) - set(grant["products_excluded"])
    if use.product != "" and use.product not in offered:
        reasons.append("scope.product")
    whole = isinstance(use.seconds, int) and not isinstance(use.seconds, bool)
    if not whole or not 0 < use.seconds <= grant["max_seconds_per_output"]:
        reasons.append("scope.seconds")
    if use.live is not False and not (use.live is True and grant["live_stream"]):
        reasons.append("scope.live")
    return tuple(reasons) + term_reasons(licence, now)


def term_reasons(licence: Licence, now: datetime) -> tuple[str, ...]:
    """Why the licence's term does not hold at this moment; empty means it holds."""
    if now.tzinfo is None:
        return ("licence.clock",)
    if now < licence.not_before:
        return ("licence.not_yet",)
    return ("licence.expired",) if now > licence.not_after else ()
