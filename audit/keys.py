"""The log's keys: which sign now, which did, and who holds each.

`signer/keys` of the home directory has one line a key, oldest first: `active|retired <vkey> <keeper>`. The
keeper is `keyring` (the installation's own seed), `file` (a seed beside this file, made by a rotation),
`transit <url>` (Vault) or `pkcs11 <uri>` (a hardware security module). While two are active, every checkpoint
carries both signatures.
"""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import checkpoint, pkcs11, transit
from audit.checkpoint import VerifierKey
from audit.errors import KeyRotationError, NoteError, SignerRefusedError

KEYS_FILE, KEY_FILE = "keys", "log.vkey"
TOKEN_FILE, CA_FILE = "transit.token", "transit.pem"
PIN_FILE = "pkcs11.pin"


class State(StrEnum):
    """What a key does now."""

    ACTIVE = "active"
    RETIRED = "retired"


class Keeper(StrEnum):
    """Who holds the private half."""

    KEYRING = "keyring"
    FILE = "file"
    TRANSIT = "transit"
    PKCS11 = "pkcs11"


@dataclass(frozen=True, slots=True)
class LogKey:
    """One key of the log; `url` names it at its keeper."""

    state: State
    key: VerifierKey
    keeper: Keeper
    url: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.state, str(self.key), self.keeper, self.url)))


class Signing(Protocol):
    """Whoever can sign with one private key; the message is whole, not hashed."""

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""


@dataclass(frozen=True, slots=True)
class SeedSigning:
    """A private key in this process."""

    seed: bytes

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def read(home: Path) -> tuple[LogKey, ...]:
    """Every key of a signer's home, oldest first; none before the first start.

    Raises:
        SignerRefusedError: the file is damaged.
    """
    path = home / KEYS_FILE
    if not path.exists():
        return ()
    try:
        lines = [line.split(" ") for line in path.read_text(encoding="utf-8").split("\n") if line]
        return tuple(
            LogKey(State(state), VerifierKey.parse(key), Keeper(keeper), *more)
            for state, key, keeper, *more in lines
        )
    except (ValueError, TypeError, NoteError) as error:
        raise SignerRefusedError(f"The list of keys {path} is damaged.") from error


def write(home: Path, keys: Sequence[LogKey]) -> None:
    """Replace the list, and publish the oldest active key: during an overlap it signs everything."""
    replace_file(home / KEYS_FILE, "".join(f"{key}\n" for key in keys))
    published = next(key for key in keys if key.state is State.ACTIVE)
    replace_file(home / KEY_FILE, f"{published.key}\n")


def first(home: Path, key: VerifierKey) -> tuple[LogKey, ...]:
    """The list of a log that has one key, in the installation's keyring.

    Raises:
        SignerRefusedError: another key was published here before there was a list.
    """
    published = home / KEY_FILE
    if published.exists() and published.read_text(encoding="utf-8") != f"{key}\n":
        raise SignerRefusedError(f"{published} is not the key in the keyring: one of them was replaced.")
    keys = (LogKey(State.ACTIVE, key, Keeper.KEYRING),)
    write(home, keys)
    return keys


def signing(key: LogKey, *, home: Path, seed: bytes) -> Signing:
    """The private half of an active key; `seed` is the keyring's.

    Raises:
        SignerRefusedError: the keeper holds another key, or none.
    """
    if key.keeper is Keeper.PKCS11:
        return pkcs11.Pkcs11Signing(key.url, public=key.key.public, pin=home / PIN_FILE)
    if key.keeper is Keeper.TRANSIT:
        return transit.TransitSigning(key.url, public=key.key.public, access=access(home))
    path = _seed_file(home, key.key)
    if key.keeper is Keeper.FILE:
        if not path.is_file() or path.stat().st_mode & 0o077:
            raise SignerRefusedError(f"{path} is missing, or others may read it.")
        seed = path.read_bytes()
    if len(seed) != 32 or checkpoint.verifier(key.key.name, seed) != key.key:
        raise SignerRefusedError(f"The {key.keeper} does not hold {key.key}: it was replaced.")
    return SeedSigning(seed)


def access(home: Path) -> transit.Access:
    """What opens the key service: the token and, where there is one, the authority of its certificate."""
    token, authority = home / TOKEN_FILE, home / CA_FILE
    if not token.is_file() or token.stat().st_mode & 0o077:
        raise SignerRefusedError(f"The key service's token {token} is missing, or others may read it.")
    return transit.Access(
        token.read_text(encoding="utf-8").strip(), str(authority) if authority.exists() else ""
    )


def make_file_key(home: Path, origin: str) -> LogKey:
    """A new key whose seed lies in the signer's home, readable by its owner alone."""
    seed = secrets.token_bytes(32)
    key = checkpoint.verifier(origin, seed)
    handle = os.open(_seed_file(home, key), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(seed)
        file.flush()
        os.fsync(file.fileno())
    return LogKey(State.ACTIVE, key, Keeper.FILE)


def find_transit_key(home: Path, origin: str, url: str) -> LogKey:
    """The newest version of an Ed25519 key that Vault's transit engine holds at `<address>/keys/<name>`.

    Raises:
        SignerUnavailableError: the service does not answer with such a key.
    """
    found = transit.newest(url, access=access(home))
    key = VerifierKey(checkpoint.check_name(origin), checkpoint.KeyType.ED25519, found.public)
    return LogKey(State.ACTIVE, key, Keeper.TRANSIT, found.url)


def find_pkcs11_key(home: Path, origin: str, uri: str) -> LogKey:
    """An Ed25519 key of a hardware security module, by its PKCS#11 URI; it has signed once.

    Raises:
        SignerRefusedError: the PIN is missing, others may read it, or the module refuses it.
        SignerUnavailableError: the module does not answer with such a key.
    """
    found = str(pkcs11.parse(uri))
    public = pkcs11.public_key(found, pin=home / PIN_FILE)
    key = VerifierKey(checkpoint.check_name(origin), checkpoint.KeyType.ED25519, public)
    return LogKey(State.ACTIVE, key, Keeper.PKCS11, found)


def add(home: Path, key: LogKey) -> None:
    """Let a further key sign.

    Raises:
        KeyRotationError: it was used before, or an overlap is under way.
    """
    known = read(home)
    if any(key.key == old.key for old in known):
        raise KeyRotationError(f"The key {key.key} was used before.")
    if sum(old.state is State.ACTIVE for old in known) != 1:
        raise KeyRotationError("Two keys sign already, or none does; end that rotation first.")
    write(home, (*known, key))


def retire(home: Path, key: VerifierKey) -> None:
    """Let a key sign no more, and destroy its seed if it lies here.

    Raises:
        KeyRotationError: it is the only one, or does not sign.
    """
    known = read(home)
    active = [old.key for old in known if old.state is State.ACTIVE]
    if key not in active or len(active) < 2:
        raise KeyRotationError(f"The key {key} does not sign, or is the only one that does.")
    write(home, [replace(old, state=State.RETIRED) if old.key == key else old for old in known])
    _seed_file(home, key).unlink(missing_ok=True)


def _seed_file(home: Path, key: VerifierKey) -> Path:
    return home / f"{key.id.hex()}.seed"


def replace_file(path: Path, text: str) -> None:
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
