"""Ed25519 keys in a hardware security module, by PKCS#11: the private half never leaves it.

A key is named by a PKCS#11 URI (RFC 7512): `pkcs11:token=NAME;object=NAME[;id=%01]?module-path=/LIBRARY.so`.
Such libraries survive no fork, and some no threads. A process of its own therefore holds the session: started
by exec, asked over a pipe, one request at a time; without an answer it is killed and once started anew.
"""

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.errors import SignerRefusedError, SignerUnavailableError

START_S, TIMEOUT_S = 15.0, 5.0  # a module over a network logs in slowly; a signature takes milliseconds
CHILD = Path(__file__).with_name("pkcs11_child.py")
_PROBE = b"likeness: does this key sign?\n"  # no checkpoint: nothing is said by signing it
_ATTRIBUTES = ("token", "object", "id")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key is: the library, the token's and the key's label, and the key's id (hex) or nothing."""

    module: str
    token: str
    object: str
    id: str = ""

    def __str__(self) -> str:
        names = {"token": quote(self.token, safe=""), "object": quote(self.object, safe="")}
        if self.id:
            names["id"] = "".join(f"%{byte:02x}" for byte in bytes.fromhex(self.id))
        path = ";".join(f"{name}={value}" for name, value in names.items())
        return f"pkcs11:{path}?module-path={quote(self.module)}"


def parse(uri: str) -> Place:
    """The place that a PKCS#11 URI names.

    Raises:
        SignerUnavailableError: it is not one with a token, an object and an absolute module-path, or it says
            more than that; a PIN never stands in it.
    """
    scheme, _, rest = uri.partition(":")
    path, _, query = rest.partition("?")
    words = [word.partition("=") for word in path.split(";")]
    asked = [word.partition("=") for word in query.split("&")]
    given = {name: unquote_to_bytes(value) for name, _, value in words}
    module = unquote_to_bytes(asked[0][2])
    known = set(given) <= set(_ATTRIBUTES) and len(given) == len(words) and len(asked) == 1
    if scheme != "pkcs11" or not known or asked[0][0] != "module-path" or not module.startswith(b"/"):
        raise SignerUnavailableError(
            "The key is named pkcs11:token=NAME;object=NAME?module-path=/LIBRARY.so, and no more than that."
        )
    try:
        place = Place(
            module.decode(),
            given.get("token", b"").decode(),
            given.get("object", b"").decode(),
            given.get("id", b"").hex(),
        )
    except UnicodeDecodeError as error:
        raise SignerUnavailableError("The names in a PKCS#11 URI are UTF-8.") from error
    if not place.token or not place.object:
        raise SignerUnavailableError("The PKCS#11 URI names no token, or no object.")
    return place


class Session:
    """One key of a module and the process that holds it; `pin` is a file that its owner alone may read."""

    def __init__(self, place: Place, *, pin: Path) -> None:
        self._place = place
        self._pin = pin
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._public = b""

    def sign(self, message: bytes) -> tuple[bytes, bytes]:
        """The key's public half and its signature.

        Raises:
            SignerRefusedError: the PIN is wrong, or others may read it.
            SignerUnavailableError: there is no answer, also not from a second process.
        """
        with self._lock:
            try:
                return self._once(message)
            except SignerUnavailableError:
                return self._once(message)

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _once(self, message: bytes) -> tuple[bytes, bytes]:
        try:
            if self._process is None:
                self._start()
            signature = self._ask(message.hex(), TIMEOUT_S).get("signature", "")
            return self._public, bytes.fromhex(signature)
        except (OSError, ValueError, TypeError) as error:
            self.close()
            raise SignerUnavailableError(f"{self._place} gave no answer: {type(error).__name__}.") from error
        except BaseException:
            self.close()  # what it would answer now belongs to another question
            raise

    def _start(self) -> None:
        tried = _tried(self._pin)
        place = self._place
        order = {"module": place.module, "token": place.token, "object": place.object, "id": place.id}
        command = [sys.executable, "-I", str(CHILD)]
        self._process = subprocess.Popen(  # noqa: S603  our own program; neither PIN nor key is on its line
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the process that asks
        )
        try:
            answer = self._ask(json.dumps(order | {"pin": str(self._pin)}), START_S)
        except SignerRefusedError:
            _refused_file(self._pin).write_text(tried, encoding="utf-8")
            raise
        _refused_file(self._pin).unlink(missing_ok=True)
        self._public = bytes.fromhex(answer.get("public", ""))

    def _ask(self, line: str, timeout_s: float) -> Mapping[str, str]:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
        process.stdin.write(f"{line}\n".encode())
        answer: Any = json.loads(_line(process.stdout.fileno(), time.monotonic() + timeout_s))
        if "fault" in answer:
            kind = SignerRefusedError if answer["fault"] == "pin" else SignerUnavailableError
            raise kind(f"{self._place}: {answer['text']}.")
        return dict(answer)


class Pkcs11Signing:
    """A signer whose private key is in a module."""

    def __init__(self, uri: str, *, public: bytes, pin: Path) -> None:
        self._uri = uri
        self._public = public
        self._pin = pin

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, checked before it is given.

        Raises:
            SignerRefusedError: the PIN is wrong, or others may read it.
            SignerUnavailableError: the module does not answer with one.
        """
        _, signature = _session(self._uri, self._pin).sign(message)
        _check(self._uri, self._public, message, signature)
        return signature


def public_key(uri: str, *, pin: Path) -> bytes:
    """The 32 bytes of a key's public half, after it has signed once; raises as `Pkcs11Signing.sign`."""
    session = Session(parse(uri), pin=pin)
    try:
        public, signature = session.sign(_PROBE)
    finally:
        session.close()
    _check(uri, public, _PROBE, signature)
    return public


_sessions: dict[tuple[int, str, Path], Session] = {}


def _session(uri: str, pin: Path) -> Session:
    """The session of this process: one that a fork copied is another's."""
    key = (os.getpid(), uri, pin)
    if key not in _sessions:
        _sessions[key] = Session(parse(uri), pin=pin)
    return _sessions[key]


@atexit.register
def close() -> None:
    """End every process that this one started."""
    for owner, uri, pin in list(_sessions):
        if owner == os.getpid():
            _sessions.pop((owner, uri, pin)).close()


def _check(uri: str, public: bytes, message: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise SignerUnavailableError(f"{uri} gave no signature of this key.") from error


def _refused_file(pin: Path) -> Path:
    return pin.with_name(f"{pin.name}.refused")


def _tried(pin: Path) -> str:
    """Which file the PIN is in; one that the module refused is never tried again, because modules count."""
    try:
        stat = pin.stat()
    except OSError as error:
        raise SignerRefusedError(f"The PIN {pin} cannot be read: {error.strerror}.") from error
    if stat.st_mode & 0o077:
        raise SignerRefusedError(f"Others than its owner may read the PIN {pin}.")
    tried, refused = f"{stat.st_ino} {stat.st_mtime_ns}\n", _refused_file(pin)
    if refused.exists() and refused.read_text(encoding="utf-8") == tried:
        raise SignerRefusedError(f"The module refused the PIN {pin} before; write the right one into it.")
    return tried


def _line(descriptor: int, deadline: float) -> bytes:
    """One line of an answer.

    Raises:
        TimeoutError, EOFError as OSError: none came in time, or the process ended.
    """
    data = b""
    while not data.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        part = os.read(descriptor, 65_536)
        if not part:
            raise BrokenPipeError
        data += part
    return data
