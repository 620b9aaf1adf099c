"""Signed notes and who is trusted: Ed25519, checkpoints and policies (https://c2sp.org/signed-note)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
Point = tuple[int, int, int, int]
KeyName = tuple[str, str]  # name and id


class RefusedError(Exception):
    """Something in the bundle or the policy does not hold."""


# Ed25519 verification, RFC 8032, 5.1.7.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)


def _add(a: Point, b: Point) -> Point:
    m = (a[1] - a[0]) * (b[1] - b[0]) % P
    n = (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(scalar: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point, scalar = _add(point, point), scalar >> 1
    return total


def _point(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_MINUS_1 % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature is right."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, point = _point(public), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if BASE is None or key is None or point is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = _multiply(scalar, BASE), _add(point, _multiply(challenge, key))
    return all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


def unbase64(text: str) -> bytes:
    """Strict base64, or RefusedError."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise RefusedError("a base64 value is malformed") from None
    if base64.b64encode(data).decode() != text:
        raise RefusedError("a base64 value is not canonical")
    return data


class Head(NamedTuple):
    """A signed tree head and who cosigned it."""

    origin: str
    size: int
    root: bytes
    witnesses: tuple[str, ...]


class Policy:
    """Trusted log keys, known witnesses and the quorum (https://c2sp.org/tlog-policy)."""

    def __init__(self, text: str) -> None:
        self.logs: dict[KeyName, bytes] = {}
        self.witnesses: dict[str, tuple[KeyName, bytes]] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum = ""
        self._used: set[object] = {"none"}  # names that are taken, public keys, members of groups
        self._heads: dict[str, Head] = {}
        if any(ord(c) < 32 and c not in "\t\n" for c in text):
            raise RefusedError("the policy holds a control character")
        for line in text.split("\n"):
            words = line.split()
            if words and not words[0].startswith("#"):
                self._take(words[0], words[1:])
        if not self.quorum or not self.logs:
            raise RefusedError("the policy needs a log and exactly one quorum line")

    def _take(self, kind: str, words: list[str]) -> None:
        if kind == "log" and len(words) in (1, 2):
            name, public = self._key(words[0], 1)
            self.logs[name] = public
        elif kind == "witness" and len(words) in (2, 3):
            self._once(words[0])
            self.witnesses[words[0]] = self._key(words[1], 4)
        elif kind == "group" and len(words) > 2:
            self._once(words[0])
            self.groups[words[0]] = self._group(words[1], words[2:])
        elif kind == "quorum" and len(words) == 1 and not self.quorum:
            if words[0] != "none" and words[0] not in self.witnesses and words[0] not in self.groups:
                raise RefusedError("the quorum " + words[0] + " is not defined")
            self.quorum = words[0]
        else:
            raise RefusedError("a policy line is unknown, malformed or repeated: " + kind)

    def _once(self, item: object) -> None:
        if item in self._used:
            raise RefusedError("the policy uses a name, a key or a member twice")
        self._used.add(item)

    def _group(self, count: str, members: list[str]) -> tuple[int, list[str]]:
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise RefusedError("the group member " + member + " is not defined")
            self._once(("member", member))
        count = {"any": "1", "all": str(len(members))}.get(count, count)
        if not DECIMAL.fullmatch(count) or not 1 <= int(count) <= len(members):
            raise RefusedError("a group asks for " + count + " of its members")
        return int(count), members

    def _key(self, text: str, kind: int) -> tuple[KeyName, bytes]:
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        data = unbase64(encoded)
        right = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4].hex()
        if not name or len(data) != 33 or data[0] != kind or key_id != right:
            raise RefusedError("the verifier key of " + (name or "nobody") + " is malformed")
        self._once(data[1:])
        return (name, key_id), data[1:]

    def _met(self, name: str, cosigned: tuple[str, ...]) -> bool:
        if name not in self.groups:
            return name == "none" or name in cosigned
        needed, members = self.groups[name]
        return sum(self._met(member, cosigned) for member in members) >= needed

    def head(self, note: str) -> Head:
        """The tree head of a checkpoint that this policy accepts, or RefusedError."""
        head = self.signed(note)
        if not self._met(self.quorum, head.witnesses):
            raise RefusedError("the witnesses that the policy asks for did not cosign")
        return head

    def signed(self, note: str) -> Head:
        """The tree head of a checkpoint that a trusted log signed, whoever cosigned it, or RefusedError."""
        if note not in self._heads:
            self._heads[note] = self._open(note)
        return self._heads[note]

    def _open(self, note: str) -> Head:
        text, gap, lines = note.rpartition("\n\n")
        rows = text.split("\n")
        if not gap or not lines.endswith("\n") or any(ord(c) < 32 and c != "\n" for c in note):
            raise RefusedError("the checkpoint is malformed")
        if len(rows) < 3 or not all(rows) or not DECIMAL.fullmatch(rows[1]) or len(unbase64(rows[2])) != 32:
            raise RefusedError("the checkpoint is malformed")
        signers = [self._signer(line, text + "\n") for line in lines[:-1].split("\n")]
        cosigned = tuple(sorted({name for kind, name in signers if kind == "witness"}))
        if ("log", rows[0]) not in signers:
            raise RefusedError("no trusted key signed the checkpoint of " + rows[0])
        return Head(rows[0], int(rows[1]), unbase64(rows[2]), cosigned)

    def _signer(self, line: str, body: str) -> tuple[str, str]:
        """Who signed; an unknown key is nobody, a known key with a wrong signature refuses the whole note."""
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014" or len(unbase64(parts[2])) <= 4:
            raise RefusedError("a signature line is malformed")
        data = unbase64(parts[2])
        key, value = (parts[1], data[:4].hex()), data[4:]
        if key in self.logs:
            if not is_signed(self.logs[key], body.encode(), value):
                raise RefusedError("the signature of the log " + parts[1] + " is wrong")
            return "log", parts[1]
        for name, (known, public) in self.witnesses.items():
            if key == known:
                time = int.from_bytes(value[:8], "big")
                if not time or not is_signed(
                    public, f"cosignature/v1\ntime {time}\n{body}".encode(), value[8:]
                ):
                    raise RefusedError("the signature of the witness " + name + " is wrong")
                return "witness", name
        return "nobody", ""
