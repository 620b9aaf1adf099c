"""The log's key and its memory: a tree is signed only if it extends the one that was signed before.

The high-water mark is the last checkpoint that was signed, kept in a file outside the database and synced
before the signature leaves. A database that was restored, cut or edited therefore gets no signature.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from audit import checkpoint, keys, merkle
from audit.checkpoint import Checkpoint, Note, Signature, VerifierKey
from audit.errors import (
    FormatError,
    LogKeyMissingError,
    ProofError,
    SignerRefusedError,
    SigningFrozenError,
    WitnessError,
)
from audit.keys import KEY_FILE, LogKey, State

__all__ = ["KEY_FILE", "MARK_FILE", "FileSigner", "Signer"]
MARK_FILE = "checkpoint"
FROZEN_FILE = "frozen"
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
    """A signer with a directory for its mark and its keys, in this process; `seed` is the keyring's."""

    def __init__(self, origin: str, *, seed: bytes, home: Path) -> None:
        self._seed = seed
        self._home = home
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            known = keys.read(home) or keys.first(home, checkpoint.verifier(origin, seed))
        if any(key.key.name != origin for key in known):
            raise SignerRefusedError(f"{home} signs for {known[0].key.name}, not for {origin}.")

    @property
    def key(self) -> VerifierKey:
        """The key that is published; during a rotation the older one, which signs everything."""
        return self._active()[0].key

    def mark(self) -> Checkpoint | None:
        """The last tree head that was signed.

        Raises:
            SignerRefusedError: the file is damaged or of another key.
        """
        path = self._home / MARK_FILE
        if not path.exists():
            return None
        try:
            known = [key.key for key in keys.read(self._home)]
            return checkpoint.open_checkpoint(path.read_bytes().decode(), *known)
        except (FormatError, UnicodeDecodeError) as error:
            raise SignerRefusedError(f"The high-water mark {path} is damaged or of another key.") from error

    def sign(self, head: Checkpoint, proof: Sequence[bytes]) -> str:
        """Sign a tree head that extends the mark, with every active key, and move the mark first.

        Raises:
            SigningFrozenError: a witness caught this log.
            SignerRefusedError: the tree is smaller than the mark or does not extend it.
            SignerUnavailableError: a key's service does not answer.
        """
        if head.origin != self.key.name:
            raise SignerRefusedError(f"The key of {self.key.name} does not sign for {head.origin}.")
        with self._locked():
            if frozen(self._home):
                raise SigningFrozenError(
                    f"The signing of {head.origin} is frozen since a witness refused it."
                )
            before = self.mark() or Checkpoint(head.origin, 0, merkle.EMPTY_ROOT)
            try:
                merkle.verify_consistency(before.size, head.size, before.root, head.root, proof)
            except ProofError as error:
                raise SignerRefusedError(
                    f"A tree of {head.size} was to be signed after one of {before.size}: {error}"
                ) from error
            note = str(Note(str(head), tuple(self._signatures(str(head).encode()))))
            keys.replace_file(self._home / MARK_FILE, note)
        return note

    def _active(self) -> list[LogKey]:
        return [key for key in keys.read(self._home) if key.state is State.ACTIVE]

    def _signatures(self, message: bytes) -> Iterator[Signature]:
        for key in self._active():  # read anew: a rotation needs no restart
            value = keys.signing(key, home=self._home, seed=self._seed).sign(message)
            yield Signature(key.key.name, key.key.id, value)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._home / _LOCK_FILE).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def frozen(place: Path) -> bool:
    """Whether a witness caught this log and nobody has decided yet."""
    return (place / FROZEN_FILE).exists()


def freeze(place: Path, evidence: str) -> None:
    """Sign nothing more, and keep what the witness was asked and answered; the first evidence stays."""
    if not frozen(place):
        keys.replace_file(place / FROZEN_FILE, evidence)


def evidence(place: Path) -> str:
    """What a witness was asked and answered when it refused the log.

    Raises:
        WitnessError: nothing is frozen.
    """
    if not frozen(place):
        raise WitnessError("The signing of the log is not frozen.")
    return (place / FROZEN_FILE).read_text(encoding="utf-8")


def thaw(place: Path) -> Path:
    """Let the signer sign again; the evidence is kept under another name.

    Raises:
        WitnessError: nothing is frozen.
    """
    evidence(place)
    number = sum(1 for _ in place.glob(f"{FROZEN_FILE}.*")) + 1
    return (place / FROZEN_FILE).rename(place / f"{FROZEN_FILE}.{number}")


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


def past_homes() -> tuple[Path, ...]:
    """Where the signers of origins lie that this installation went on from, the oldest first."""
    found = [path for path in home().parent.glob(f"{home().name}.*") if path.suffix[1:].isdigit()]
    return tuple(sorted(found, key=lambda path: int(path.suffix[1:])))


def published_keys() -> tuple[VerifierKey, ...]:
    """Every key that ever signed this log, the oldest first, and then those of origins that it goes on from.

    Raises:
        LogKeyMissingError: no sequencer ever started here.
    """
    published = published_key()
    past = tuple(key.key for place in past_homes() for key in keys.read(place))
    return (*(tuple(key.key for key in keys.read(home())) or (published,)), *past)
