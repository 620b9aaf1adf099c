"""Ed25519 keys that HashiCorp Vault's (or OpenBao's) transit engine holds: the private half never leaves it.

`GET <address>/keys/<name>` gives the public keys, `POST <address>/sign/<name>` a signature, as the transit
engine's HTTP API documents them. The version of a key is pinned: a rotation in Vault changes nothing here.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.errors import SignerUnavailableError

TIMEOUT_S = 5.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """What opens the service: a token, and a file with the authority of its certificate."""

    token: str
    authority: str = ""


@dataclass(frozen=True, slots=True)
class TransitKey:
    """One version of a key: `<address>/keys/<name>#<version>` and its public half."""

    url: str
    public: bytes


class TransitSigning:
    """A signer whose private key is in the transit engine."""

    def __init__(self, url: str, *, public: bytes, access: Access) -> None:
        address, _, version = url.partition("#")
        self._sign_url = _sign_url(address)
        self._version = version
        self._public = Ed25519PublicKey.from_public_bytes(public)
        self._access = access

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, checked before it is given.

        Raises:
            SignerUnavailableError: the service does not answer with one.
        """
        body = {"input": base64.b64encode(message).decode(), "key_version": int(self._version)}
        text = _ask("POST", self._sign_url, self._access, body).get("signature", "")
        prefix = f"vault:v{self._version}:"
        try:
            signature = base64.b64decode(str(text).removeprefix(prefix), validate=True)
            if not str(text).startswith(prefix):
                raise SignerUnavailableError(f"{self._sign_url} signed with another version of the key.")
            self._public.verify(signature, message)
        except (binascii.Error, InvalidSignature) as error:
            raise SignerUnavailableError(f"{self._sign_url} gave no signature of this key.") from error
        return signature


def newest(url: str, *, access: Access) -> TransitKey:
    """The newest version of the key at `<address>/keys/<name>`.

    Raises:
        SignerUnavailableError: there is no Ed25519 key, or the service does not answer.
    """
    _sign_url(url)
    data = _ask("GET", url, access, None)
    try:
        version = int(data["latest_version"])
        public = base64.b64decode(data["keys"][str(version)]["public_key"], validate=True)
        if data["type"] != "ed25519" or len(public) != 32:
            raise SignerUnavailableError(f"{url} is not an Ed25519 key.")
    except (KeyError, TypeError, ValueError) as error:
        raise SignerUnavailableError(f"{url} did not answer with a key.") from error
    return TransitKey(f"{url}#{version}", public)


def _sign_url(url: str) -> str:
    parts = urlsplit(url)
    address, keys, name = url.rpartition("/keys/")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise SignerUnavailableError(f"{url} is not an https address.")
    if not keys or not name or "/" in name or parts.query or parts.fragment:
        raise SignerUnavailableError(f"{url} is not <address>/keys/<name>.")
    return f"{address}/sign/{name}"


def _ask(method: str, url: str, access: Access, body: dict[str, Any] | None) -> dict[str, Any]:
    headers = {"X-Vault-Token": access.token, "X-Vault-Request": "true"}
    verify: Any = access.authority or True
    try:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False, verify=verify) as client:
            answer = client.request(method, url, json=body, headers=headers)
        data = answer.json()["data"] if answer.is_success else None
    except (httpx.HTTPError, ValueError, KeyError, TypeError, OSError) as error:
        raise SignerUnavailableError(f"{url} does not answer: {type(error).__name__}.") from error
    if not isinstance(data, dict):
        raise SignerUnavailableError(f"{url} answered {answer.status_code}.")
    return data
