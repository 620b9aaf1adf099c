"""Private files: written whole and once, readable by their owner alone."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from likeness.errors import KeyringError

SECRET_BYTES = 48


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


def secret_text(path: Path) -> str:
    """Give a random text of this installation, made when asked for the first time.

    Raises:
        KeyringError: the file may be read by others, or cannot be read.
    """
    if not path.exists():
        create_once(path, secrets.token_urlsafe(SECRET_BYTES).encode())
    return read_private(path).decode()
