"""What the invisible mark says, and the secrets it is said with: keys, tag, convolutional code, Viterbi.

Everything here is part of the format ``tilemark3``. A change makes old marks unreadable; the golden vectors
in ``tests/watermark/test_payload.py`` hold it still.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from watermark.errors import MarkIdError, WeakKeyError

ALGORITHM = "tilemark3"
KEY_OCTETS = 32
ID_BITS, TAG_BITS = 64, 40
MESSAGE_BITS = ID_BITS + TAG_BITS

GENERATORS = (0o463, 0o535, 0o733, 0o745)  # K = 9, rate 1/4, maximum free distance (Proakis, table 8.2-3)
CONSTRAINT = 9
STATES = 1 << (CONSTRAINT - 1)
CODE_BITS = (MESSAGE_BITS + CONSTRAINT - 1) * len(GENERATORS)
"""448: zero-tailed."""

Bits = npt.NDArray[np.uint8]
"""(n,) uint8, each 0 or 1."""
Soft = npt.NDArray[np.float32]
"""(n,) float32; positive means code bit 0."""


# ---- keys ---------------------------------------------------------------------------------------


def _derive(master: bytes, info: str) -> bytes:
    """HKDF-SHA256 without salt (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_OCTETS, salt=None, info=info.encode()).derive(master)


@dataclass(frozen=True, slots=True)
class MarkKeys:
    """The keys of one tenant under one master secret.

    ``sync`` is the same for all tenants of a master: one geometry search serves them all.

    Raises:
        WeakKeyError: the master secret has fewer than 32 octets.
    """

    master: bytes = field(repr=False)
    tenant: str
    sync: bytes = field(init=False, repr=False)
    data: bytes = field(init=False, repr=False)
    tag: bytes = field(init=False, repr=False)
    key_id: str = field(init=False)
    """16 hexadecimal characters that name the master secret without telling it; keep it with every id."""

    def __post_init__(self) -> None:
        if len(self.master) < KEY_OCTETS:
            raise WeakKeyError(f"The master secret has {len(self.master)} octets, not {KEY_OCTETS}.")
        if not self.tenant:
            raise WeakKeyError("The mark keys name no tenant.")
        put = object.__setattr__
        put(self, "sync", _derive(self.master, f"{ALGORITHM} sync"))
        put(self, "data", _derive(self.master, f"{ALGORITHM} data {self.tenant}"))
        put(self, "tag", _derive(self.master, f"{ALGORITHM} tag {self.tenant}"))
        put(self, "key_id", _derive(self.master, f"{ALGORITHM} name")[:8].hex())


def keyed_signs(key: bytes, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Pseudo-random signs: the bits of SHAKE-256(key + ``signs``), 0 -> +1.

    Not NumPy's generator: its streams may change between versions, and old marks would be lost.
    """
    count = int(np.prod(shape))
    raw = hashlib.shake_256(key + b"signs").digest(-(-count // 8))
    bits = np.unpackbits(np.frombuffer(raw, np.uint8))[:count]
    return (1.0 - 2.0 * bits).astype(np.float32).reshape(shape)


def keyed_permutation(key: bytes, count: int) -> npt.NDArray[np.intp]:
    """A pseudo-random order of ``range(count)``: argsort of 64-bit words of SHAKE-256(key + ``places``)."""
    words = np.frombuffer(hashlib.shake_256(key + b"places").digest(8 * count), "<u8")
    return np.argsort(words, kind="stable")


# ---- message ------------------------------------------------------------------------------------


def new_mark_id() -> int:
    """A random non-zero 64-bit id: never a counter, never derived from a person."""
    return secrets.randbelow((1 << ID_BITS) - 1) + 1


def check_mark_id(mark_id: int) -> int:
    """The id itself, when it can be a mark's.

    Raises:
        MarkIdError: it is zero, negative or wider than 64 bits.
    """
    if not 0 < mark_id < 1 << ID_BITS:
        raise MarkIdError(f"Mark id {mark_id} is not a non-zero 64-bit number.")
    return mark_id


def _tag(tag_key: bytes, id_octets: bytes) -> bytes:
    return hmac.digest(tag_key, ALGORITHM.encode() + id_octets, "sha256")[: TAG_BITS // 8]


def message(keys: MarkKeys, mark_id: int) -> Bits:
    """The 104 bits of a mark: id, most significant bit first, then its tag."""
    octets = check_mark_id(mark_id).to_bytes(ID_BITS // 8, "big")
    return np.unpackbits(np.frombuffer(octets + _tag(keys.tag, octets), np.uint8))


def accept(keys: MarkKeys, bits: Bits) -> int | None:
    """The id in 104 decoded bits, or None when the tag does not match: the one test that accepts a mark."""
    octets = np.packbits(bits).tobytes()
    head, tail = octets[: ID_BITS // 8], octets[ID_BITS // 8 :]
    mark_id = int.from_bytes(head, "big")
    return mark_id if mark_id and hmac.compare_digest(_tag(keys.tag, head), tail) else None


# ---- convolutional code -------------------------------------------------------------------------


def _trellis() -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """For each state and each of its two predecessors: that predecessor, the bit that leads here, the four
    outputs as signs. Register = (new bit << 8) | state; next state = register >> 1."""
    parity = np.array([value.bit_count() & 1 for value in range(2 * STATES)], np.uint8)
    state = np.arange(STATES)
    previous = ((state << 1) & (STATES - 1))[:, None] | np.arange(2)
    bit_in = np.repeat((state >> (CONSTRAINT - 2))[:, None], 2, axis=1).astype(np.uint8)
    register = (bit_in.astype(np.intp) << (CONSTRAINT - 1)) | previous
    outputs = np.stack([parity[register & generator] for generator in GENERATORS], axis=-1)
    return previous.astype(np.intp), bit_in, (1.0 - 2.0 * outputs).astype(np.float32)


_PREVIOUS, _BIT_IN, _BRANCH = _trellis()


def encode(bits: Bits) -> Bits:
    """The 448 code bits of a 104-bit message."""
    state, out = 0, []
    for bit in [*bits.tolist(), *[0] * (CONSTRAINT - 1)]:
        register = (int(bit) << (CONSTRAINT - 1)) | state
        out += [(register & generator).bit_count() & 1 for generator in GENERATORS]
        state = register >> 1
    return np.array(out, np.uint8)


def viterbi(soft: Soft) -> Bits:
    """The 104 most likely message bits of 448 soft code bits; the path starts and ends in state 0."""
    steps = soft.reshape(-1, len(GENERATORS)).astype(np.float32)
    metric = np.full(STATES, -1e9, np.float32)
    metric[0] = 0
    second = np.empty((len(steps), STATES), np.bool_)
    for at, step in enumerate(steps):
        candidate = metric[_PREVIOUS] + _BRANCH @ step
        second[at] = candidate[:, 1] > candidate[:, 0]
        metric = candidate.max(axis=1)
    state, bits = 0, np.empty(len(steps), np.uint8)
    for at in range(len(steps) - 1, -1, -1):
        choice = int(second[at, state])
        bits[at] = _BIT_IN[state, choice]
        state = int(_PREVIOUS[state, choice])
    return bits[:MESSAGE_BITS]
