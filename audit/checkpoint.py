"""Signed notes, checkpoints, cosignatures and tlog-proofs, byte for byte as C2SP writes them.

https://c2sp.org/signed-note, /tlog-checkpoint, /tlog-cosignature, /tlog-proof. Reading is strict.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.errors import CheckpointError, FormatError, NoteError, ProofError

MAX_NOTE_CHARS = 256 * 1024  # 16 Ed25519 and some tens of post-quantum lines of 3 to 5 kB
MAX_SIZE = 2**63 - 1
MAX_PROOF_HASHES = 63
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_DASH = "\u2014 "
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)


class KeyType(IntEnum):
    """The type byte of a key; a key is used for one type only."""

    ED25519 = 1
    COSIGNATURE = 4


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name it signs under."""

    name: str
    key_type: KeyType
    public: bytes

    @property
    def id(self) -> bytes:
        """The 4 bytes that name the key in a signature line."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.key_type]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encode(bytes([self.key_type]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read `name+id+key`.

        Raises:
            NoteError: the key is malformed, of an unknown type or its id is wrong.
        """
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise NoteError("The verifier key is malformed.")
        name, key_id, data = parts[0], parts[1], decode(parts[2], NoteError)
        if len(data) != 33 or data[0] not in set(KeyType):
            raise NoteError(f"The verifier key of {name!r} has an unknown type or length.")
        key = cls(check_name(name), KeyType(data[0]), data[1:])
        if key.id.hex() != key_id:
            raise NoteError(f"The verifier key of {name!r} has the wrong id.")
        return key

    def verifies(self, text: str, signature: bytes) -> int | None:
        """Check a signature over a note's text; a cosignature gives its time, a plain signature None.

        Raises:
            NoteError: the signature is wrong.
        """
        message, time = text.encode(), None
        if self.key_type is KeyType.COSIGNATURE:
            time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            message = f"cosignature/v1\ntime {time}\n{text}".encode()
        if time == 0 or len(signature) != 64:
            raise NoteError(f"The signature of {self.name} is malformed.")
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature as error:
            raise NoteError(f"The signature of {self.name} is wrong.") from error
        return time


def verifier(name: str, seed: bytes, key_type: KeyType = KeyType.ED25519) -> VerifierKey:
    """The public half of a 32-byte seed."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return VerifierKey(check_name(name), key_type, public)


def encode(data: bytes) -> str:
    """Base64, RFC 4648 section 4 with padding."""
    return base64.b64encode(data).decode()


def decode(text: str, error: type[FormatError]) -> bytes:
    """Strict base64: padding, no other characters and no stray bits, or `error`."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as cause:
        raise error("A base64 value is malformed.") from cause
    if encode(data) != text:
        raise error("A base64 value is not written canonically.")
    return data


def check_name(name: str) -> str:
    """A key name, or NoteError."""
    if not name or "+" in name or any(c.isspace() or ord(c) < 0x20 for c in name):
        raise NoteError("The key name is empty or holds a space, a plus or a control character.")
    return name


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line; `value` comes after the 4 bytes of the key's id."""

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {encode(self.key_id + self.value)}\n"

    @classmethod
    def parse(cls, line: str) -> "Signature":
        """Read one line without its line feed, or NoteError."""
        parts = line.removeprefix(_DASH).split(" ")
        if not line.startswith(_DASH) or len(parts) != 2:
            raise NoteError("A signature line is malformed.")
        data = decode(parts[1], NoteError)
        if len(data) <= 4:
            raise NoteError("A signature is too short.")
        return cls(check_name(parts[0]), data[:4], data[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures under it, none of them checked yet."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(map(str, self.signatures))

    @classmethod
    def parse(cls, note: str) -> "Note":
        """Read a signed note, or NoteError."""
        if len(note) > MAX_NOTE_CHARS:
            raise NoteError(f"The note has {len(note)} characters; {MAX_NOTE_CHARS} is the most.")
        if any(ord(c) < 0x20 and c != "\n" for c in note):
            raise NoteError("The note holds a control character.")
        text, gap, lines = note.rpartition("\n\n")
        if not gap or not lines.endswith("\n"):
            raise NoteError("The note has no signatures or no final line feed.")
        return cls(text + "\n", tuple(map(Signature.parse, lines[:-1].split("\n"))))

    def signers(self, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int | None]:
        """The known keys that signed, with the time of each cosignature.

        Raises:
            NoteError: a known key's signature is wrong, or no known key signed.
        """
        known = {(key.name, key.id): key for key in keys}
        signed: dict[VerifierKey, int | None] = {}
        for line in self.signatures:
            key = known.get((line.name, line.key_id))
            if key is not None:
                signed[key] = key.verifies(self.text, line.value)
        if not signed:
            raise NoteError("No known key signed the note.")
        return signed


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: what a log says its tree is."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{encode(self.root)}\n"

    @classmethod
    def parse(cls, body: str) -> "Checkpoint":
        """Read a checkpoint body; extension lines are allowed and left to the signature.

        Raises:
            CheckpointError: the body is malformed.
        """
        lines = body.split("\n")
        if len(lines) < 4 or lines.pop() != "" or not all(lines):
            raise CheckpointError("The checkpoint has too few lines, an empty one or no final line feed.")
        try:
            check_name(lines[0])
        except NoteError as error:
            raise CheckpointError("The checkpoint's origin is malformed.") from error
        if not _DECIMAL.fullmatch(lines[1]) or int(lines[1]) > MAX_SIZE:
            raise CheckpointError("The checkpoint's size is malformed.")
        root = decode(lines[2], CheckpointError)
        if len(root) != 32:
            raise CheckpointError("The checkpoint's root is not 32 bytes.")
        return cls(lines[0], int(lines[1]), root)


def sign(head: Checkpoint, seed: bytes) -> str:
    """The signed checkpoint of a log; its key's name is the origin."""
    body = str(head)
    value = Ed25519PrivateKey.from_private_bytes(seed).sign(body.encode())
    return str(Note(body, (Signature(head.origin, verifier(head.origin, seed).id, value),)))


def cosign(head: Checkpoint | str, *, name: str, seed: bytes, time: int) -> str:
    """A witness's cosignature/v1 line over a checkpoint, or a note's whole text, at POSIX second `time`."""
    if time <= 0:
        raise NoteError("A cosignature needs a time after 1970.")
    message = f"cosignature/v1\ntime {time}\n{head}".encode()
    value = time.to_bytes(8, "big") + Ed25519PrivateKey.from_private_bytes(seed).sign(message)
    return str(Signature(name, verifier(name, seed, KeyType.COSIGNATURE).id, value))


def open_checkpoint(note: str, *keys: VerifierKey) -> Checkpoint:
    """The tree head of a note that one of the log's own keys signed.

    Raises:
        NoteError: no key signed it, or the signature of one is wrong.
        CheckpointError: what was signed is malformed or of another log.
    """
    parsed = Note.parse(note)
    signed = parsed.signers(keys)
    head = Checkpoint.parse(parsed.text)
    if not any(key.name == head.origin for key in signed):
        raise CheckpointError(
            f"The checkpoint is of {head.origin!r}, the key of {next(iter(signed)).name!r}."
        )
    return head


@dataclass(frozen=True, slots=True)
class TlogProof:
    """The proof that one entry is in a signed tree; `note` is the checkpoint with its signatures."""

    index: int
    hashes: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        hashes = "".join(encode(item) + "\n" for item in self.hashes)
        return f"{PROOF_HEADER}\nindex {self.index}\n{hashes}\n{self.note}"

    @classmethod
    def parse(cls, text: str) -> "TlogProof":
        """Read a .tlog-proof; an `extra` line is not authenticated and is dropped.

        Raises:
            ProofError: the file is malformed.
        """
        head, gap, note = text.partition("\n\n")
        header, *lines = head.split("\n")
        if not gap or header != PROOF_HEADER:
            raise ProofError("The proof's header is malformed.")
        if lines and lines[0].startswith("extra "):
            decode(lines.pop(0).removeprefix("extra "), ProofError)
        index = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
        if not _DECIMAL.fullmatch(index) or int(index) > MAX_SIZE:
            raise ProofError("The proof's index is malformed.")
        hashes = tuple(decode(line, ProofError) for line in lines)
        if len(hashes) > MAX_PROOF_HASHES or any(len(item) != 32 for item in hashes):
            raise ProofError("The proof has too many hashes or one that is not 32 bytes.")
        return cls(int(index), hashes, note)
