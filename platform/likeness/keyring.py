"""Keys in files: 32 random bytes per purpose, readable by their owner alone, made on first use."""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import asdict
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from likeness.errors import KeyringError
from watermark.credentials import CredentialChain, make_chain

SEED_BYTES = 32
PURPOSES = frozenset({"kek", "log", "witness", "permit", "licence", "watermark"})
"""A closed list: a name with a slip of the pen would quietly become a second key."""


class FileKeyring:
    """The local keyring under keys/ of the home directory; a cluster puts its KMS in this place."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(settings.LIKENESS_KEYS)

    def seed(self, name: str) -> bytes:
        """Give the 32 bytes of a purpose, made when asked for the first time.

        Raises:
            KeyringError: unknown purpose, or a file that is short or that others may read.
        """
        if name not in PURPOSES:
            raise KeyringError(f"No key has the purpose {name!r}.")
        path = self.folder / f"{name}.key"
        if not path.exists():
            create_once(path, secrets.token_bytes(SEED_BYTES))
        seed = read_private(path)
        if len(seed) != SEED_BYTES:
            raise KeyringError(f"{path} holds {len(seed)} bytes, not {SEED_BYTES}.")
        return seed

    def credential_chain(self) -> CredentialChain:
        """Give the certificates and keys of content credentials, made when asked for the first time.

        Raises:
            KeyringError: a file that others may read, or that is not what was written.
        """
        path = self.folder / "credentials.json"
        if not path.exists():
            made = make_chain(settings.LIKENESS_ORGANISATION, timezone.now())
            create_once(path, json.dumps(asdict(made)).encode())
        try:
            return CredentialChain(**json.loads(read_private(path)))
        except (ValueError, TypeError) as error:
            raise KeyringError(f"{path} does not hold a chain of certificates.") from error


def create_once(path: Path, content: bytes) -> None:
    """Write a private file whole, or leave the one that another process made first."""
    _private_folder(path.parent)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # unlike rename, refuses to replace
        except FileExistsError:
            return
    finally:
        fresh.unlink()
    _sync_folder(path.parent)


def read_private(path: Path) -> bytes:
    """Give a private file's bytes.

    Raises:
        KeyringError: it is no plain file of this user, or others may read it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise KeyringError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise KeyringError(f"{path} is no plain file.")
        if facts.st_mode & 0o077:
            raise KeyringError(f"{path} may be read by others: mode {stat.S_IMODE(facts.st_mode):04o}.")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


def _private_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
