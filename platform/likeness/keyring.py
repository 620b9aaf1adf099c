"""Keys in files: 32 random bytes per purpose, readable by their owner alone, made on first use."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from likeness.errors import KeyringError
from likeness.private import create_once, read_private
from watermark.credentials import CredentialChain, make_chain

SEED_BYTES = 32
PURPOSES = frozenset({"kek", "log", "witness", "permit", "licence", "watermark", "webhook"})
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
