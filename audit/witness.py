"""A witness: it cosigns a log's checkpoint only if that extends the one it cosigned before.

https://c2sp.org/tlog-witness. Another organisation runs it, with its own key and its own memory. What it
remembers is one SQLite file; the check and the store are one durable transaction, made before the answer.
"""

import hashlib
import os
import re
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audit import checkpoint, merkle
from audit.checkpoint import Checkpoint, KeyType, Note, VerifierKey
from audit.errors import FormatError, NoteError, ProofError, WitnessError

KEY_FILE, SEED_FILE, LOGS_FILE, STATE_FILE, URL_FILE = (
    "witness.vkey",
    "witness.key",
    "logs",
    "witness.db",
    "url",
)
MAX_REQUEST_BYTES = 512 * 1024  # the largest note and 63 hashes
NOTE_TYPE = "text/plain; charset=utf-8"
SIZE_TYPE = "text/x.tlog.size"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_TABLE = """
    CREATE TABLE IF NOT EXISTS head (
      origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL)
"""
_STORE = """
    INSERT INTO head (origin, size, root, note) VALUES (?, ?, ?, ?)
    ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note
"""


@dataclass(frozen=True, slots=True)
class Request:
    """The body of add-checkpoint: the size that the witness should remember, a proof and a checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        return (
            f"old {self.old}\n"
            + "".join(checkpoint.encode(item) + "\n" for item in self.proof)
            + f"\n{self.note}"
        )

    @classmethod
    def parse(cls, body: bytes) -> "Request":
        """Read a body.

        Raises:
            FormatError: it is malformed.
        """
        if len(body) > MAX_REQUEST_BYTES:
            raise ProofError(f"The request has {len(body)} bytes; {MAX_REQUEST_BYTES} is the most.")
        try:
            head, gap, note = body.decode().partition("\n\n")
        except UnicodeDecodeError as error:
            raise NoteError("The request is not UTF-8.") from error
        first, *lines = head.split("\n")
        match = _OLD.fullmatch(first)
        if not gap or match is None:
            raise ProofError("The request's first line is malformed.")
        proof = tuple(checkpoint.decode(line, ProofError) for line in lines)
        if len(proof) > merkle.MAX_PROOF_HASHES or any(len(item) != merkle.HASH_BYTES for item in proof):
            raise ProofError("The proof has too many hashes or one that is not 32 bytes.")
        return cls(int(match[1]), proof, note)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the witness says, as HTTP."""

    status: int
    body: str
    content_type: str = NOTE_TYPE


class Witness:
    """One witness in one home directory; several processes may hold the same one."""

    def __init__(self, home: Path, *, now: Callable[[], float] = time.time) -> None:
        self._home = home
        self._now = now
        self.key = _read_key(home)
        self._seed = _read_seed(home)
        if checkpoint.verifier(self.key.name, self._seed, KeyType.COSIGNATURE) != self.key:
            raise WitnessError(f"{home / KEY_FILE} is not the key of {home / SEED_FILE}.")
        self._lock = threading.Lock()
        self._database = sqlite3.connect(home / STATE_FILE, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(_TABLE)

    def close(self) -> None:
        """Let go of the state file."""
        with self._lock:
            self._database.close()

    def add_checkpoint(self, body: bytes) -> Answer:
        """Check and cosign a checkpoint; the order of the checks is the protocol's."""
        try:
            asked = Request.parse(body)
            head = Checkpoint.parse(Note.parse(asked.note).text)
        except FormatError as error:
            return Answer(400, f"{error}\n")
        keys = [key for key in trusted(self._home) if key.name == head.origin]
        if not keys:
            return Answer(404, "The log is not known here.\n")
        try:
            note = _signed_by(keys, asked.note)
        except NoteError as error:
            return Answer(403, f"{error}\n")
        if asked.old > head.size:
            return Answer(400, f"A tree of {head.size} does not extend one of {asked.old}.\n")
        with self._exclusive():
            return self._extend(asked, head, note)

    def _extend(self, asked: Request, head: Checkpoint, note: Note) -> Answer:
        row = self._database.execute("SELECT size, root FROM head WHERE origin = ?", [head.origin]).fetchone()
        size, root = row or (0, merkle.EMPTY_ROOT)
        if asked.old != size:
            return Answer(409, f"{size}\n", SIZE_TYPE)
        try:
            merkle.verify_consistency(size, head.size, root, head.root, asked.proof)
        except ProofError as error:
            return Answer(422, f"{error}\n")
        line = checkpoint.cosign(note.text, name=self.key.name, seed=self._seed, time=int(self._now()))
        self._database.execute(_STORE, [head.origin, head.size, head.root, f"{note}{line}"])
        return Answer(200, line)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One transaction of one thread of one process; committed, and on disk, when the block ends."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def latest(self, origin_sha256: str) -> Answer:
        """The newest cosigned checkpoint of the log whose origin has this SHA-256 (lower-case hex)."""
        with self._lock:
            rows = self._database.execute("SELECT origin, note FROM head").fetchall()
        for origin, note in rows:
            if hashlib.sha256(origin.encode()).hexdigest() == origin_sha256:
                return Answer(200, note)
        return Answer(404, "Nothing of this log was cosigned here.\n")


def _signed_by(keys: Sequence[VerifierKey], text: str) -> Note:
    """The note with the signatures of the log's own keys alone, or NoteError."""
    note = Note.parse(text)
    note.signers(keys)
    known = {(key.name, key.id) for key in keys}
    return Note(note.text, tuple(line for line in note.signatures if (line.name, line.key_id) in known))


def create(home: Path, *, name: str) -> VerifierKey:
    """Make a witness's key and home directory.

    Raises:
        WitnessError: there is one already.
        NoteError: the name cannot name a key.
    """
    checkpoint.check_name(name)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if (home / SEED_FILE).exists():
        raise WitnessError(f"{home} holds a witness already.")
    seed = secrets.token_bytes(32)
    key = checkpoint.verifier(name, seed, KeyType.COSIGNATURE)
    handle = os.open(home / SEED_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(seed)
        file.flush()
        os.fsync(file.fileno())
    (home / KEY_FILE).write_text(f"{key}\n", encoding="utf-8")
    return key


def trusted(home: Path) -> tuple[VerifierKey, ...]:
    """The keys of the logs that a witness cosigns for; read anew, so that a rotation needs no restart."""
    path = home / LOGS_FILE
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    return tuple(VerifierKey.parse(line) for line in lines if line and not line.startswith("#"))


def trust(home: Path, key: VerifierKey) -> None:
    """Let the witness cosign for a log; a second key of one origin is that log's rotation.

    Raises:
        WitnessError: the key is not a log's.
    """
    if key.key_type is not KeyType.ED25519:
        raise WitnessError(f"The key of {key.name} is not the key of a log.")
    known = trusted(home)
    if key not in known:
        text = "".join(f"{item}\n" for item in (*known, key))
        fresh = home / f".{LOGS_FILE}.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(home / LOGS_FILE)


def _read_key(home: Path) -> VerifierKey:
    try:
        return VerifierKey.parse((home / KEY_FILE).read_text(encoding="utf-8").rstrip("\n"))
    except FileNotFoundError as error:
        raise WitnessError(f"{home} holds no witness.") from error


def _read_seed(home: Path) -> bytes:
    path = home / SEED_FILE
    if not path.is_file() or path.stat().st_mode & 0o077:
        raise WitnessError(f"{path} is missing, or others may read it.")
    seed = path.read_bytes()
    if len(seed) != 32:
        raise WitnessError(f"{path} holds {len(seed)} bytes, not 32.")
    return seed
