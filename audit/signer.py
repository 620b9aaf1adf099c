"""The log's key and its memory: a tree is signed only if it extends the one that was signed before.

The high-water mark is the last checkpoint that was signed, kept in a file outside the database and synced
before the signature leaves. A database that was restored, cut or edited therefore gets no signature.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from audit import checkpoint, merkle
from audit.checkpoint import Checkpoint, VerifierKey
from audit.errors import FormatError, LogKeyMissingError, ProofError, SignerRefusedError

KEY_FILE = "log.vkey"
MARK_FILE = "checkpoint"
_LOCK_FILE = "lock"


class Signer(Protocol):
    """Whoever holds the log's key."""

    @property
    def key(self) -> VerifierKey:
        """The public key; its name is the log's origin."""

    def mark(self) -> Checkpoint | None:
        """The last tree head that was signed, None before the first."""

    def sign(self, head: Checkpoint, proof: Sequence[bytes]) -> str:
        """The signed checkpoint; `proof` shows that `head` extends the mark."""


class FileSigner:
    """A signer with a 32-byte seed and a directory for its mark, in this process."""

    def __init__(self, origin: str, *, seed: bytes, home: Path) -> None:
        self._seed = seed
        self._home = home
        self.key = checkpoint.verifier(origin, seed)
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            if not (home / KEY_FILE).exists():
                _write(home / KEY_FILE, f"{self.key}\n")

    def mark(self) -> Checkpoint | None:
        """The last tree head that was signed.

        Raises:
            SignerRefusedError: the file is damaged or of another key.
        """
        path = self._home / MARK_FILE
        if not path.exists():
            return None
        try:
            return checkpoint.open_checkpoint(path.read_bytes().decode(), self.key)
        except (FormatError, UnicodeDecodeError) as error:
            raise SignerRefusedError(f"The high-water mark {path} is damaged or of another key.") from error

    def sign(self, head: Checkpoint, proof: Sequence[bytes]) -> str:
        """Sign a tree head that extends the mark, and move the mark first.

        Raises:
            SignerRefusedError: the tree is smaller than the mark or does not extend it.
        """
        if head.origin != self.key.name:
            raise SignerRefusedError(f"The key of {self.key.name} does not sign for {head.origin}.")
        with self._locked():
            before = self.mark() or Checkpoint(head.origin, 0, merkle.EMPTY_ROOT)
            try:
                merkle.verify_consistency(before.size, head.size, before.root, head.root, proof)
            except ProofError as error:
                raise SignerRefusedError(
                    f"A tree of {head.size} was to be signed after one of {before.size}: {error}"
                ) from error
            note = checkpoint.sign(head, self._seed)
            _write(self._home / MARK_FILE, note)
        return note

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._home / _LOCK_FILE).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _write(path: Path, text: str) -> None:
    """Replace a file so that after a crash the old or the new one is there, whole."""
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def home() -> Path:
    """Where the local signer keeps its mark and publishes its key."""
    return Path(settings.LIKENESS_HOME) / "signer"


def local() -> FileSigner:
    """The signer that the settings describe."""
    keyring = import_string(settings.LIKENESS_KEYRING)()
    return FileSigner(settings.LIKENESS_LOG_ORIGIN, seed=keyring.seed("log"), home=home())


def published_key() -> VerifierKey:
    """The log's public key, as the signer published it.

    Raises:
        LogKeyMissingError: no sequencer ever started here.
    """
    path = home() / KEY_FILE
    if not path.exists():
        raise LogKeyMissingError(f"The log's key {path} is not published yet.")
    return VerifierKey.parse(path.read_text(encoding="utf-8").rstrip("\n"))
