"""The permit: the gate's signed word that one job may run, with these inputs, under these consents.

A permit is ``base64url(JSON) "." base64url(signature)`` without padding. The JSON is RFC 8785 canonical,
with integers and strings only; the signature is Ed25519 over ``likeness/permit/v1\\n`` and the JSON.

To hold, a permit must:
- be exactly in that form, with every field and no other, signed by a known key;
- name this job and tenant, and the log entry of the decision that the job stands on;
- have been issued before now, expire after now, and live 24 hours at most;
- name the consents at the epochs that the database has now;
- name the bytes in hand, by hash and length, and the models that are loaded;
- name the use and the policy, and no block list newer than the one in force.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, TypeVar

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from generation.errors import PermitError

_Claim = TypeVar("_Claim")
CONTEXT = b"likeness/permit/v1\n"
MAX_LIFE_S = 24 * 3600
MAX_TOKEN_CHARS = 32_768
"""A permit is about 1.5 kB; a longer text is not one."""
CLOCK_SKEW_S = 5
"""How far the clocks of two machines of one site may differ."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """The log entry of the decision: the log's origin and the entry's index."""

    origin: str
    index: int


@dataclass(frozen=True, slots=True)
class LicenceClaim:
    """A consent at one revision and epoch, with the hash of its canonical JSON."""

    id: str
    revision: int
    json_sha: str
    epoch: int


@dataclass(frozen=True, slots=True)
class InputClaim:
    """Bytes that go in: ``role`` is ``source`` or ``target``."""

    role: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class UseClaim:
    """What the output is for."""

    operation: str
    purpose: str
    channel: str
    territory: str
    language: str
    product: str


@dataclass(frozen=True, slots=True)
class ModelClaim:
    """A model that runs, by its hash."""

    role: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PolicyClaim:
    """The policy that admitted."""

    name: str
    version: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Permit:
    """Everything that a permit says; times are seconds since 1970, UTC."""

    kid: str
    job: str
    tenant: str
    issued: int
    expires: int
    log: LogPlace
    licences: tuple[LicenceClaim, ...]
    inputs: tuple[InputClaim, ...]
    use: UseClaim
    models: tuple[ModelClaim, ...]
    policy: PolicyClaim
    gallery: int


@dataclass(frozen=True, slots=True)
class InHand:
    """What the caller has before it: a permit must agree with all of it.

    ``epochs`` are read from the database now; ``inputs`` are made from the bytes themselves.
    """

    job: str
    tenant: str
    log: LogPlace
    epochs: Mapping[str, int]
    inputs: tuple[InputClaim, ...]
    use: UseClaim
    models: tuple[ModelClaim, ...]
    policy: PolicyClaim
    gallery: int


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the SHA-256 of the raw public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def sign(permit: Permit, key: Ed25519PrivateKey) -> str:
    """The token of ``permit``.

    Raises:
        PermitError: its key id is not this key's, or it lives too long.
    """
    if permit.kid != key_id(key.public_key()):
        raise PermitError("kid", "it names another key")
    _check_life(permit)
    body = rfc8785.dumps(asdict(permit))
    return f"{_encode(body)}.{_encode(key.sign(CONTEXT + body))}"


def read(token: str, *, keys: Mapping[str, Ed25519PublicKey]) -> Permit:
    """The permit in ``token``, once its signature holds.

    Raises:
        PermitError: malformed, of an unknown key, or not signed by it.
    """
    body, signature = _parts(token)
    try:
        document = json.loads(body)
    except ValueError:
        raise PermitError("token", "it is not JSON") from None
    kid = document.get("kid") if isinstance(document, dict) else None
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise PermitError("kid", "the key is not known")
    try:
        key.verify(signature, CONTEXT + body)
    except InvalidSignature:
        raise PermitError("signature", "it does not hold") from None
    permit = _from_document(document)
    if rfc8785.dumps(asdict(permit)) != body:
        raise PermitError("token", "it is not canonical")
    return permit


def verify(token: str, *, keys: Mapping[str, Ed25519PublicKey], hand: InHand, now: datetime) -> Permit:
    """The permit in ``token`` when it holds for what is in hand.

    Raises:
        PermitError: it does not; ``field`` names the first difference.
    """
    permit = read(token, keys=keys)
    seconds = int(now.astimezone(UTC).timestamp())
    _check_life(permit)
    if permit.issued > seconds + CLOCK_SKEW_S:
        raise PermitError("issued", "it lies in the future")
    if permit.expires <= seconds:
        raise PermitError("expires", "it has expired")
    for field in ("job", "tenant", "log", "use", "policy"):
        if getattr(permit, field) != getattr(hand, field):
            raise PermitError(field, "it is another one")
    if not permit.licences or {claim.id: claim.epoch for claim in permit.licences} != dict(hand.epochs):
        raise PermitError("licences", "a consent was revoked or changed since")
    for field in ("inputs", "models"):
        mine, theirs = getattr(permit, field), getattr(hand, field)
        if not mine or set(mine) != set(theirs) or len(mine) != len(theirs):
            raise PermitError(field, "they differ from the ones in hand")
    if permit.gallery > hand.gallery:
        raise PermitError("gallery", "the block list is older than the permit's")
    return permit


def _check_life(permit: Permit) -> None:
    if not 0 < permit.expires - permit.issued <= MAX_LIFE_S:
        raise PermitError("expires", "it must live more than 0 and at most 24 hours")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _parts(token: str) -> tuple[bytes, bytes]:
    pieces = token.split(".")
    if len(token) > MAX_TOKEN_CHARS or len(pieces) != 2 or not all(pieces):
        raise PermitError("token", "it is malformed")
    try:
        body, signature = (
            base64.b64decode(piece + "=" * (-len(piece) % 4), altchars=b"-_", validate=True)
            for piece in pieces
        )
    except (binascii.Error, ValueError):
        raise PermitError("token", "it is malformed") from None
    if f"{_encode(body)}.{_encode(signature)}" != token:
        raise PermitError("token", "it is not canonical")
    return body, signature


def _from_document(document: dict[str, Any]) -> Permit:
    try:
        return Permit(
            **{
                **_exact(Permit, document),
                "log": _typed(LogPlace, document["log"]),
                "licences": tuple(_typed(LicenceClaim, item) for item in document["licences"]),
                "inputs": tuple(_typed(InputClaim, item) for item in document["inputs"]),
                "use": _typed(UseClaim, document["use"]),
                "models": tuple(_typed(ModelClaim, item) for item in document["models"]),
                "policy": _typed(PolicyClaim, document["policy"]),
            }
        )
    except (KeyError, TypeError):
        raise PermitError("token", "a field is missing, extra or of the wrong type") from None


def _exact(kind: type[Any], document: Any) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    if not isinstance(document, dict) or set(document) != names:
        raise TypeError
    for field in fields(kind):
        wanted = {"str": str, "int": int}.get(str(field.type))
        if wanted is not None and type(document[field.name]) is not wanted:
            raise TypeError
    return document


def _typed(kind: type[_Claim], document: Any) -> _Claim:
    return kind(**_exact(kind, document))
