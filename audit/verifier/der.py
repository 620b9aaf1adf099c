"""DER and the signatures of certificates: RSA PKCS#1 v1.5, and ECDSA on P-256 and P-384."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, NamedTuple

from audit.verifier.notes import RefusedError

INTEGER, BITS, OCTETS, OID, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
MIN_RSA_BITS = 2048
RSA, EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
HASHES = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
# What an algorithm of a signature says about its hash; empty where the hash is named beside it.
SIGNED_BY_RSA = {
    RSA: "",
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
SIGNED_BY_ECDSA = {
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}
# The part of a DigestInfo before the digest (RFC 8017, 9.2).
DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


class UncheckedError(Exception):
    """Something that this program does not check, though it may be right."""


class Node(NamedTuple):
    """One element: its tag, its content and all of its bytes."""

    tag: int
    body: bytes
    whole: bytes

    def parts(self) -> list[Node]:
        """The elements inside."""
        found, at = [], 0
        while at < len(self.body):
            node, at = element(self.body, at)
            found.append(node)
        return found

    def part(self, number: int, tag: int) -> Node:
        """One element inside, of this tag, or RefusedError."""
        parts = self.parts()
        if number >= len(parts) or parts[number].tag != tag:
            raise RefusedError("the encoding is malformed")
        return parts[number]


def element(data: bytes, at: int = 0) -> tuple[Node, int]:
    """The element at a place and where it ends, or RefusedError; lengths are definite and minimal."""
    if len(data) < at + 2 or data[at] & 0x1F == 0x1F:
        raise RefusedError("the encoding is malformed")
    length, start = data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        digits = data[start : start + count]
        length, start = int.from_bytes(digits, "big"), start + count
        if not 1 <= count <= 4 or len(digits) < count or not digits[0] or length < 0x80:
            raise RefusedError("the encoding is malformed")
    if len(data) < start + length:
        raise RefusedError("the encoding is malformed")
    return Node(data[at], data[start : start + length], data[at : start + length]), start + length


def whole(data: bytes, tag: int = SEQUENCE) -> Node:
    """The one element that some bytes are, or RefusedError."""
    node, end = element(data)
    if end != len(data) or node.tag != tag:
        raise RefusedError("the encoding is malformed")
    return node


def oid(node: Node) -> str:
    """An object identifier in dots, or RefusedError."""
    if node.tag != OID or not node.body or node.body[-1] & 0x80:
        raise RefusedError("the encoding is malformed")
    numbers, value = [], 0
    for byte in node.body:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:]))


def integer(node: Node) -> int:
    """A number, or RefusedError."""
    if node.tag != INTEGER or not node.body:
        raise RefusedError("the encoding is malformed")
    return int.from_bytes(node.body, "big", signed=True)


class Curve(NamedTuple):
    """A prime curve y^2 = x^3 - 3x + b (SEC 2): its prime, b, order and base point."""

    p: int
    b: int
    n: int
    base: tuple[int, int]


CURVES = {
    "1.2.840.10045.3.1.7": Curve(  # P-256
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        (
            0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
            0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        ),
    ),
    "1.3.132.0.34": Curve(  # P-384
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
        (
            0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
            0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        ),
    ),
}
Place = Any  # (x, y) on a curve, or None for the point at infinity


def _sum(curve: Curve, a: Place, b: Place) -> Place:
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % curve.p == 0:
        return None
    if a == b:
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, curve.p)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, curve.p)
    x = (slope * slope - a[0] - b[0]) % curve.p
    return x, (slope * (a[0] - x) - a[1]) % curve.p


def _times(curve: Curve, scalar: int, point: Place) -> Place:
    total = None
    while scalar:
        if scalar & 1:
            total = _sum(curve, total, point)
        point, scalar = _sum(curve, point, point), scalar >> 1
    return total


def is_ecdsa(key: Node, digest: bytes, signature: bytes) -> bool:
    """Whether an ECDSA signature (FIPS 186-5, 6.4.2) of a SubjectPublicKeyInfo is right."""
    name = oid(key.part(0, SEQUENCE).parts()[1])
    if name not in CURVES:
        raise UncheckedError(f"the curve {name} is not known here")
    curve, point = CURVES[name], key.part(1, BITS).body[1:]
    half = (curve.p.bit_length() + 7) // 8
    x, y = int.from_bytes(point[1 : 1 + half], "big"), int.from_bytes(point[1 + half :], "big")
    if len(point) != 1 + 2 * half or point[0] != 4 or max(x, y) >= curve.p:
        raise UncheckedError("the point of a key is not written out in full")
    if (y * y - x * x * x + 3 * x - curve.b) % curve.p:
        return False
    r, s = (integer(part) for part in whole(signature).parts())
    if not (0 < r < curve.n and 0 < s < curve.n):
        return False
    number = int.from_bytes(digest, "big") >> max(0, 8 * len(digest) - curve.n.bit_length())
    inverse = pow(s, -1, curve.n)
    found = _sum(
        curve,
        _times(curve, number * inverse % curve.n, curve.base),
        _times(curve, r * inverse % curve.n, (x, y)),
    )
    return found is not None and found[0] % curve.n == r


def is_rsa(key: Node, name: str, digest: bytes, signature: bytes) -> bool:
    """Whether an RSASSA-PKCS1-v1_5 signature (RFC 8017, 8.2.2) of a SubjectPublicKeyInfo is right."""
    modulus, exponent = (integer(part) for part in whole(key.part(1, BITS).body[1:]).parts())
    size = (modulus.bit_length() + 7) // 8
    value = int.from_bytes(signature, "big")
    if modulus.bit_length() < MIN_RSA_BITS or len(signature) != size or value >= modulus or exponent < 3:
        return False
    ending = b"\x00" + DIGEST_INFO[name] + digest
    wanted = b"\x00\x01" + b"\xff" * (size - 2 - len(ending)) + ending
    return hmac.compare_digest(pow(value, exponent, modulus).to_bytes(size, "big"), wanted)


def is_signed_by(key: Node, algorithm: str, hashed: str, message: bytes, signature: bytes) -> bool:
    """Whether a signature of a SubjectPublicKeyInfo is right; `hashed` where the algorithm names no hash.

    UncheckedError: it is made in a way that is not checked here.
    """
    kind = oid(key.part(0, SEQUENCE).parts()[0])
    table = SIGNED_BY_RSA if kind == RSA else SIGNED_BY_ECDSA if kind == EC else {}
    if algorithm not in table:
        raise UncheckedError(f"a signature by {algorithm} is not checked here")
    name = table[algorithm] or hashed
    if not name:
        raise RefusedError("a signature names no hash")
    digest = hashlib.new(name, message).digest()
    if kind == RSA:
        return is_rsa(key, name, digest, signature)
    return is_ecdsa(key, digest, signature)
