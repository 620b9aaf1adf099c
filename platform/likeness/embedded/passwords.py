"""Passwords of the embedded server's roles, in libpq's password file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner may read.

    Raises:
        FileExistsError: the file is there already.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def find(passfile: Path, *, role: str) -> str | None:
    """Give the role's password, if the file has one."""
    if not passfile.exists():
        return None
    for line in passfile.read_text().splitlines():
        parts = line.split(":")
        if len(parts) == 5 and parts[3] == role:
            return parts[4]
    return None


def store(passfile: Path, *, role: str, password: str) -> None:
    """Put the role's password into the file, replacing the whole file at once."""
    kept = [] if not passfile.exists() else passfile.read_text().splitlines()
    lines = [line for line in kept if line.split(":")[3:4] != [role]]
    fresh = passfile.with_name(f".{passfile.name}.{secrets.token_hex(4)}")
    write_secret(fresh, "\n".join([*lines, f"*:*:*:{role}:{password}"]) + "\n")
    fresh.replace(passfile)
