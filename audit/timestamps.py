"""RFC 3161 timestamps: an authority's signed word that some bytes existed at a time.

Only a hash is sent. The token counts by its signature and its nonce, so an authority may be asked over plain
http, as most of them are. Its certificates are not looked up in revocation lists.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from audit.errors import TimestampError, TimestampUnavailableError

TIMEOUT_S = 10.0
MAX_TOKEN_BYTES = 64 * 1024
SKEW = timedelta(hours=1)  # a token of another time than this was not made for this question
_SHA256 = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TYPES = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


@dataclass(frozen=True, slots=True)
class Authority:
    """Where tokens come from, and the certificates that they have to lead to."""

    url: str
    roots: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A whole answer of an authority (DER, as `openssl ts -verify -in` reads it) and the time in it."""

    data: bytes
    time: datetime


def authority(url: str, roots: str) -> Authority:
    """The authority at an address, trusted by the certificates of a PEM file.

    Raises:
        TimestampError: the address is not a plain http or https one, or the file holds no certificates.
    """
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
    if not plain or "@" in parts.netloc or parts.query or parts.fragment or not url.isprintable():
        raise TimestampError("LIKENESS_TSA_URL is not http(s)://host/path without a password or a query.")
    if not roots:
        raise TimestampError(
            "LIKENESS_TSA_ROOTS is not set: no token could be checked, so none is asked for."
        )
    try:
        found = x509.load_pem_x509_certificates(Path(roots).read_bytes())
    except (OSError, ValueError) as error:
        raise TimestampError(f"{roots} gives no certificates: {type(error).__name__}.") from error
    return Authority(url, tuple(found))


def stamp(message: bytes, by: Authority) -> Token:
    """Ask for a token on some bytes; it is verified before it is given.

    Raises:
        TimestampUnavailableError: the authority cannot be reached, or is not able to answer now.
        TimestampError: what it answered is not a token on these bytes, or not one of this authority.
    """
    builder = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256)
    asked = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    data = _post(by.url, asked.as_bytes())
    token = verify(data, message, by.roots, nonce=asked.nonce)
    if abs(token.time - datetime.now(UTC)) > SKEW:
        raise TimestampError(f"{by.url} stamped the time {token.time.isoformat()}, which is not now.")
    return token


def verify(
    data: bytes, message: bytes, roots: Sequence[x509.Certificate], *, nonce: int | None = None
) -> Token:
    """Check that a token is on these bytes and leads to one of these roots; with the nonce, to a question.

    Raises:
        TimestampError: it is not.
    """
    response = _decode(data)
    if response.status != 0:
        raise TimestampError(f"The authority refused, with status {response.status}.")
    try:
        imprint = response.tst_info.message_imprint
        digest = hashlib.sha256(message).digest()
        if imprint.hash_algorithm != _SHA256 or not secrets.compare_digest(imprint.message, digest):
            raise TimestampError("The token is on other bytes than these.")
        VerifierBuilder(roots=list(roots), nonce=nonce).build().verify(response, digest)
        return Token(data, response.tst_info.gen_time.astimezone(UTC))
    except (VerificationError, ValueError) as error:
        raise TimestampError(f"The token does not hold: {error}") from error


def _decode(data: bytes) -> TimeStampResponse:
    try:
        return decode_timestamp_response(data)
    except ValueError as error:
        raise TimestampError("The answer is not an RFC 3161 answer.") from error


def _post(url: str, body: bytes) -> bytes:
    proxied = urlsplit(url).hostname not in _LOOPBACK
    try:
        with (
            httpx.Client(timeout=TIMEOUT_S, trust_env=proxied) as client,
            client.stream("POST", url, content=body, headers=_TYPES) as answer,
        ):
            if answer.status_code == 429 or answer.is_server_error:
                raise TimestampUnavailableError(f"{url} answered {answer.status_code}.")
            if answer.status_code != 200:
                raise TimestampError(f"{url} answered {answer.status_code}; redirects are not followed.")
            return _content(answer)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TimestampUnavailableError(f"{url} does not answer: {type(error).__name__}.") from error


def _content(answer: httpx.Response) -> bytes:
    content = b""
    for part in answer.iter_bytes():
        content += part
        if len(content) > MAX_TOKEN_BYTES:
            raise TimestampError(f"{answer.url} answered more than {MAX_TOKEN_BYTES} bytes.")
    return content
