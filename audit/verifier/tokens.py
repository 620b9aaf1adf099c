"""Timestamp tokens (RFC 3161): what they are on, when, and whether an authority's root vouches for them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

from audit.verifier.der import (
    BITS,
    HASHES,
    INTEGER,
    OCTETS,
    SEQUENCE,
    SET,
    Node,
    UncheckedError,
    integer,
    is_signed_by,
    oid,
    whole,
)
from audit.verifier.notes import RefusedError

SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.47"  # ESSCertIDv2, RFC 5035
SIGNING_CERTIFICATE_SHA1 = "1.2.840.113549.1.9.16.2.12"
BASIC_CONSTRAINTS, KEY_USAGE, KEY_PURPOSES = "2.5.29.19", "2.5.29.15", "2.5.29.37"
COMMON_NAME = "2.5.4.3"
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
UTC_TIME, GENERAL_TIME, BOOLEAN = 0x17, 0x18, 0x01
MAX_CHAIN = 6
_TIME = re.compile(rb"([0-9]{14})(\.[0-9]*[1-9])?Z")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


class Certificate(NamedTuple):
    """What a certificate says of itself (RFC 5280); times are `YYYYMMDDhhmmss`, UTC."""

    data: bytes
    signed: bytes
    algorithm: str
    signature: bytes
    serial: int
    issuer: bytes
    subject: bytes
    begin: str
    end: str
    key: Node
    extensions: dict[str, tuple[bool, bytes]]  # (critical, value) by identifier


class Token(NamedTuple):
    """What a token says: the hash it is on, its time, its policy, and who signed it."""

    imprint: bytes
    hashed: str
    time: str  # YYYYMMDDhhmmss, UTC
    policy: str
    signer: Certificate
    certificates: list[Certificate]


def moment(node: Node) -> str:
    """A time as `YYYYMMDDhhmmss`, UTC, or RefusedError."""
    body = node.body
    if node.tag == UTC_TIME:  # two digits of the year, RFC 5280, 4.1.2.5.1
        body = (b"20" if body[:2] < b"50" else b"19") + body
    found = _TIME.fullmatch(body)
    if node.tag not in (UTC_TIME, GENERAL_TIME) or not found:
        raise RefusedError("a time is malformed")
    return found[1].decode()


def certificate(data: bytes) -> Certificate:
    """A certificate from its DER, or RefusedError."""
    outer = whole(data)
    inner = outer.part(0, SEQUENCE)
    parts = inner.parts()
    parts = parts[1:] if parts and parts[0].tag == 0xA0 else parts  # without the version
    if len(parts) < 6 or oid(parts[1].parts()[0]) != oid(outer.part(1, SEQUENCE).parts()[0]):
        raise RefusedError("a certificate is malformed")
    begin, end = (moment(part) for part in parts[3].parts())
    extensions = {}
    for node in parts[6:]:
        for item in node.parts()[0].parts() if node.tag == 0xA3 else []:
            values = item.parts()
            critical = values[1].tag == BOOLEAN and values[1].body == b"\xff"
            extensions[oid(values[0])] = (critical, values[-1].body)
    return Certificate(
        data=outer.whole,
        signed=inner.whole,
        algorithm=oid(parts[1].parts()[0]),
        signature=outer.part(2, BITS).body[1:],
        serial=integer(parts[0]),
        issuer=parts[2].whole,
        subject=parts[4].whole,
        begin=begin,
        end=end,
        key=parts[5],
        extensions=extensions,
    )


def certificates(pem: str) -> list[Certificate]:
    """The certificates of a PEM file, or RefusedError where there are none."""
    try:
        found = [certificate(base64.b64decode("".join(text.split()))) for text in _PEM.findall(pem)]
    except (binascii.Error, IndexError, ValueError):
        raise RefusedError("the authority's certificates are malformed") from None
    if not found:
        raise RefusedError("the file of the authority holds no certificates")
    return found


def token(data: bytes) -> Token:
    """A token whose own signature is right, from an authority's answer, or RefusedError.

    UncheckedError: it is signed in a way that is not checked here.
    """
    try:
        answer = whole(data)
        if integer(answer.part(0, SEQUENCE).part(0, INTEGER)) not in (0, 1):
            raise RefusedError("the authority gave no token")
        content = answer.part(1, SEQUENCE)
        if oid(content.parts()[0]) != SIGNED_DATA:
            raise RefusedError("the token is malformed")
        return _signed(content.part(1, 0xA0).part(0, SEQUENCE).parts())
    except (IndexError, ValueError):
        raise RefusedError("the token is malformed") from None


def _signed(parts: list[Node]) -> Token:
    """From the parts of a SignedData (RFC 5652, 5.1) with exactly one signer."""
    content, held, signers = parts[2], [part for part in parts if part.tag == 0xA0], parts[-1]
    if oid(content.parts()[0]) != TST_INFO or signers.tag != SET or len(signers.parts()) != 1:
        raise RefusedError("the token is malformed")
    known = [certificate(node.whole) for node in (held[0].parts() if held else []) if node.tag == SEQUENCE]
    info = content.part(1, 0xA0).part(0, OCTETS).body
    signer = _signer(signers.parts()[0].parts(), info, known)
    told = whole(info).parts()
    imprint = told[2].parts()
    name = HASHES.get(oid(imprint[0].parts()[0]), "")
    if not name:
        raise UncheckedError("the token is on a hash that is not known here")
    return Token(imprint[1].body, name, moment(told[4]), oid(told[1]), signer, known)


def _signer(parts: list[Node], info: bytes, known: list[Certificate]) -> Certificate:
    """Who signed, after the signature over the attributes, and they over the content, were checked."""
    by, hashed = parts[1], HASHES.get(oid(parts[2].parts()[0]), "")
    if not hashed:
        raise UncheckedError("the token is signed with a hash that is not known here")
    if by.tag != SEQUENCE or parts[3].tag != 0xA0:
        raise UncheckedError("the token names its signer in another way than is read here")
    issuer, serial = by.parts()[0].whole, integer(by.parts()[1])
    signers = [item for item in known if (item.issuer, item.serial) == (issuer, serial)]
    if not signers:
        raise UncheckedError("the token does not hold its signer's certificate")
    attributes = {oid(item.parts()[0]): item.part(1, SET).parts() for item in parts[3].parts()}
    if (
        [oid(item) for item in attributes.get(CONTENT_TYPE, [])] != [TST_INFO]
        or [item.body for item in attributes.get(MESSAGE_DIGEST, [])] != [hashlib.new(hashed, info).digest()]
        or not _names(attributes, signers[0])
    ):
        raise RefusedError("the token's signature is on other content")
    message = bytes((SET,)) + parts[3].whole[1:]  # signed as the SET that it is, RFC 5652, 5.4
    algorithm = oid(parts[4].parts()[0])
    if not is_signed_by(signers[0].key, algorithm, hashed, message, parts[5].body):
        raise RefusedError("the token's signature is wrong")
    return signers[0]


def _names(attributes: dict[str, list[Node]], signer: Certificate) -> bool:
    """Whether the signed attributes name this very certificate (RFC 5816)."""
    for kind, default in ((SIGNING_CERTIFICATE, "sha256"), (SIGNING_CERTIFICATE_SHA1, "sha1")):
        if kind in attributes:
            parts = attributes[kind][0].part(0, SEQUENCE).part(0, SEQUENCE).parts()
            named = HASHES.get(oid(parts[0].parts()[0]), "") if parts[0].tag == SEQUENCE else default
            digests = [part.body for part in parts if part.tag == OCTETS]
            return bool(named) and digests == [hashlib.new(named, signer.data).digest()]
    return False


def trust(found: Token, roots: list[Certificate]) -> None:
    """That a token's certificate leads to one of these roots at the token's time, or RefusedError.

    Lists of revoked certificates are not asked. UncheckedError: a certificate asks for something unknown.
    """
    critical, purposes = found.signer.extensions.get(KEY_PURPOSES, (False, b""))
    if not critical or [oid(item) for item in whole(purposes).parts()] != [TIME_STAMPING]:
        raise RefusedError("the token's certificate is not one for timestamps")
    current, trusted = found.signer, {root.data for root in roots}
    for _ in range(MAX_CHAIN):
        if not current.begin <= found.time <= current.end:
            raise RefusedError("a certificate of the authority was not valid at the token's time")
        others = {name for name, (must, _) in current.extensions.items() if must}
        if others - {BASIC_CONSTRAINTS, KEY_USAGE, KEY_PURPOSES}:
            raise UncheckedError("a certificate of the authority asks for what is not known here")
        if current.data in trusted:
            return
        current = _issuer(current, [*roots, *found.certificates])
    raise RefusedError("the token's certificates do not lead to the root that was given")


def readable(time: str) -> str:
    """`YYYYMMDDhhmmss` as RFC 3339."""
    day, hour = f"{time[:4]}-{time[4:6]}-{time[6:8]}", f"{time[8:10]}:{time[10:12]}:{time[12:]}"
    return f"{day}T{hour}Z"


def common_name(found: Certificate) -> str:
    """The common name of a certificate's subject, or all of its names."""
    names = [item.parts()[0].parts() for item in whole(found.subject).parts()]
    told = {oid(kind): value.body.decode("utf-8", "replace") for kind, value in names}
    return told.get(COMMON_NAME) or ", ".join(told.values())


def _issuer(issued: Certificate, known: list[Certificate]) -> Certificate:
    for other in known:
        _, constraints = other.extensions.get(BASIC_CONSTRAINTS, (False, b""))
        may_issue = bool(constraints) and any(
            part.tag == BOOLEAN and part.body == b"\xff" for part in whole(constraints).parts()
        )
        named = other.subject == issued.issuer and may_issue
        if named and is_signed_by(other.key, issued.algorithm, "", issued.signed, issued.signature):
            return other
    raise RefusedError("the token's certificates do not lead to the root that was given")
