"""Protected material at rest: streamed AES-256-GCM under a data key per asset, data keys wrapped by one KEK.

file    = header | chunk*      header = "LKV1" | u32 BE chunk size | salt 32 | nonce prefix 7 (47 bytes)
key     = HKDF-SHA256(DEK, salt, info = "likeness/file/v1|" || context)
chunk i = AES-256-GCM(key, nonce = prefix | u32 BE i | u8 last, plain, AAD = header)   (STREAM, Hoang 2015)
row     = nonce 12 | AES-256-GCM(HKDF(DEK, info = "likeness/row/v1"), plain, AAD = context)
DEK     = 32 random bytes an asset; wrapped = nonce 12 | AES-256-GCM(KEK, DEK, AAD = "kek=<id>|" || context)

A context names tenant, asset and kind, so that a file, a row or a key that is moved does not open.
"""

from __future__ import annotations

import hmac
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.module_loading import import_string

from consent.errors import CiphertextError, KeyUnavailableError

MAGIC = b"LKV1"
HEADER_BYTES = 47
TAG_BYTES = 16
CHUNK_BYTES = 1 << 20
CHUNK_SIZES = (1 << 16, 1 << 20)
"""A header is read before it is authenticated: never allocate what it asks for."""
KEK_ID = "kek-1"
_LAST_CHUNK = 2**32 - 1


class Keyring(Protocol):
    """Where secrets come from; ``settings.LIKENESS_KEYRING`` names one."""

    def seed(self, name: str) -> bytes:
        """32 secret bytes of this name."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first 47 bytes of a file."""

    raw: bytes
    chunk_bytes: int
    salt: bytes
    prefix: bytes


def seed(name: str) -> bytes:
    """A secret of the configured keyring.

    Raises:
        KeyUnavailableError: the provider cannot be reached or gave no 32 bytes; there is no fallback.
    """
    try:
        keyring: Keyring = import_string(settings.LIKENESS_KEYRING)()
        secret = keyring.seed(name)
    except (ImportError, OSError) as error:
        raise KeyUnavailableError(f"The key {name} is not available: {error}") from error
    if len(secret) != 32:
        raise KeyUnavailableError(f"The key {name} has {len(secret)} bytes, not 32.")
    return secret


def new_key() -> bytes:
    """A random data key."""
    return os.urandom(32)


def wrap(kek: bytes, key: bytes, context: str) -> bytes:
    """The data key, encrypted for one asset."""
    nonce = os.urandom(12)
    return nonce + AESGCM(kek).encrypt(nonce, key, _key_context(context))


def unwrap(kek: bytes, wrapped: bytes, context: str) -> bytes:
    """The data key of one asset.

    Raises:
        CiphertextError: other key-encryption key, other asset, or edited bytes.
    """
    return _open(kek, bytes(wrapped), _key_context(context))


def seal_row(key: bytes, plain: bytes, context: str) -> bytes:
    """A short value, encrypted for one row."""
    nonce = os.urandom(12)
    return nonce + AESGCM(_derive(key, b"", b"likeness/row/v1")).encrypt(nonce, plain, context.encode())


def open_row(key: bytes, sealed: bytes, context: str) -> bytes:
    """The plain value of one row.

    Raises:
        CiphertextError: other key, other row, or edited bytes.
    """
    return _open(_derive(key, b"", b"likeness/row/v1"), bytes(sealed), context.encode())


def commitment(key: bytes, sha256: str) -> str:
    """What the log says of a person's file: HMAC-SHA256 under the data key, gone with the key."""
    return hmac.digest(_derive(key, b"", b"likeness/commitment/v1"), bytes.fromhex(sha256), "sha256").hex()


def encrypt(
    source: BinaryIO, target: BinaryIO, *, key: bytes, context: str, chunk_bytes: int = CHUNK_BYTES
) -> None:
    """Write the encrypted file of ``source``; memory stays at two chunks."""
    header = new_header(chunk_bytes, salt=os.urandom(32), prefix=os.urandom(7))
    encrypt_with(header, source, target, key=key, context=context)


def new_header(chunk_bytes: int, *, salt: bytes, prefix: bytes) -> Header:
    """A header; salt and prefix must be random, except in a test of known answers."""
    return Header(MAGIC + struct.pack(">I", chunk_bytes) + salt + prefix, chunk_bytes, salt, prefix)


def encrypt_with(header: Header, source: BinaryIO, target: BinaryIO, *, key: bytes, context: str) -> None:
    """Write the encrypted file under a given header, which must never serve twice with one key."""
    cipher = _file_cipher(header, key, context)
    target.write(header.raw)
    index, current = 0, source.read(header.chunk_bytes)
    while True:
        following = source.read(header.chunk_bytes)
        target.write(cipher.encrypt(_nonce(header, index, last=not following), current, header.raw))
        if not following:
            return
        index, current = index + 1, following


def decrypt(source: BinaryIO, *, key: bytes, context: str) -> Iterator[bytes]:
    """Yield the plain chunks; nothing is final until the generator ends without raising.

    Raises:
        CiphertextError: cut, reordered, edited, other key or other context.
    """
    header = read_header(source)
    cipher = _file_cipher(header, key, context)
    index, current = 0, source.read(header.chunk_bytes + TAG_BYTES)
    while True:
        following = source.read(header.chunk_bytes + TAG_BYTES)
        yield _chunk(cipher, header, index, current, last=not following)
        if not following:
            return
        index, current = index + 1, following


def decrypt_range(
    source: BinaryIO, *, size: int, key: bytes, context: str, offset: int, length: int
) -> bytes:
    """Plain bytes from ``offset``; ``size`` comes from the database, so that a cut file fails here too.

    Raises:
        CiphertextError: as ``decrypt``.
    """
    source.seek(0)
    header = read_header(source)
    cipher = _file_cipher(header, key, context)
    stored = header.chunk_bytes + TAG_BYTES
    chunks, end = -(-(size - HEADER_BYTES) // stored), offset + length
    pieces = []
    for index in range(offset // header.chunk_bytes, min(chunks, -(-end // header.chunk_bytes))):
        source.seek(HEADER_BYTES + index * stored)
        plain = _chunk(cipher, header, index, source.read(stored), last=index == chunks - 1)
        start = index * header.chunk_bytes
        pieces.append(plain[max(offset - start, 0) : max(end - start, 0)])
    return b"".join(pieces)


def read_header(source: BinaryIO) -> Header:
    """The header of a file.

    Raises:
        CiphertextError: not a file of this format, or a chunk size that is not one of the two.
    """
    raw = source.read(HEADER_BYTES)
    if len(raw) != HEADER_BYTES or raw[:4] != MAGIC:
        raise CiphertextError("The stored bytes are not an encrypted file of this format.")
    chunk_bytes = int.from_bytes(raw[4:8], "big")
    if chunk_bytes not in CHUNK_SIZES:
        raise CiphertextError(f"The stored file asks for chunks of {chunk_bytes} bytes.")
    return Header(raw, chunk_bytes, raw[8:40], raw[40:])


def _chunk(cipher: AESGCM, header: Header, index: int, sealed: bytes, *, last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(header, index, last=last), sealed, header.raw)
    except (InvalidTag, ValueError) as error:
        raise CiphertextError(f"Chunk {index} of the stored file does not open.") from error


def _file_cipher(header: Header, key: bytes, context: str) -> AESGCM:
    return AESGCM(_derive(key, header.salt, b"likeness/file/v1|" + context.encode()))


def _derive(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(key)


def _nonce(header: Header, index: int, *, last: bool) -> bytes:
    if index > _LAST_CHUNK:
        raise CiphertextError("The file has more chunks than the format counts.")
    return header.prefix + struct.pack(">IB", index, last)


def _open(key: bytes, sealed: bytes, context: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], context)
    except (InvalidTag, ValueError) as error:
        raise CiphertextError("The stored value does not open under this key and place.") from error


def _key_context(context: str) -> bytes:
    return f"kek={KEK_ID}|{context}".encode()
