"""One request to one listed host: https, no redirect, no address that was not meant, and an end to waiting.

- The host must be listed. Its addresses are looked up once; when one of them is neither public unicast nor in
  a listed network, nothing is sent (a mixed answer is how rebinding starts). The connection goes to exactly
  the address that was looked at, with the host's name for TLS.
- http is for loopback alone, and only when its network is listed: a companion process, and the tests.
- The whole exchange has one deadline. A watchdog cuts the socket, so that a server which drips single
  octets is as dead as one that is silent.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from threading import Event, Timer
from typing import BinaryIO
from urllib.parse import SplitResult, urlsplit

from generation.addresses import Address, is_public
from generation.presenter.errors import SpeechFailedError, SpeechUnavailableError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
TIMEOUT_S = 30.0
SIZE_MAX = 1 << 26
"""Octets of an answer: 64 MiB is seventeen minutes of sound at 24,000 Hz in base64."""
PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Target:
    """Where to, and what is allowed on the way; ``networks``: private ones that were meant.

    ``what``: what stands there, for messages.
    """

    url: str
    hosts: frozenset[str]
    networks: tuple[Network, ...] = ()
    timeout_s: float = TIMEOUT_S
    size_max: int = SIZE_MAX
    what: str = "speech engine"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    content_type: str
    body: bytes


def checked(target: Target) -> SplitResult:
    """The address in its parts, if anything may ever be sent there.

    Raises:
        SpeechUnavailableError: not https, a name or password in it, or a host that is not listed.
    """
    try:
        parts = urlsplit(target.url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise SpeechUnavailableError(f"The address of the {target.what} is no address: {error}.") from None
    if parts.scheme not in ("https", "http") or not host:
        raise SpeechUnavailableError(f"The address of the {target.what} does not begin with https://.")
    if parts.username or parts.password or parts.fragment:
        raise SpeechUnavailableError(f"The address of the {target.what} holds a name, a password or a #.")
    if host not in target.hosts:
        raise SpeechUnavailableError(f"The host {host} of the {target.what} is not listed.")
    if parts.scheme == "http" and not _loopback(host):
        raise SpeechUnavailableError(f"The {target.what} needs https; http is for 127.0.0.1 alone.")
    return parts


def reachable(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether a connection may go there: public unicast that embeds no other address, or a listed network."""
    try:
        found: Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and (found.ipv4_mapped or found.scope_id):
        return False
    return _within(found, networks) or is_public(address)


def post(target: Target, body: bytes, *, headers: Mapping[str, str]) -> Reply:
    """Send, and give the answer whatever its status; a redirect is an answer like any other.

    Raises:
        SpeechUnavailableError: nothing may be sent there.
        SpeechFailedError: no answer in time, or too large a one.
    """
    return _sent(target, "POST", body, headers, None)


def fetch(target: Target, *, headers: Mapping[str, str], into: BinaryIO | None = None) -> Reply:
    """Ask, and give the answer whatever its status; the body of a good one goes ``into`` a file, if given.

    Raises:
        SpeechUnavailableError: nothing may be asked there.
        SpeechFailedError: no answer in time, or too large a one.
    """
    return _sent(target, "GET", None, headers, into)


def _sent(
    target: Target, method: str, body: bytes | None, headers: Mapping[str, str], into: BinaryIO | None
) -> Reply:
    parts = checked(target)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _looked_up(parts.hostname or "", port, target)
    late = Event()
    try:
        plain = socket.create_connection((address, port), timeout=target.timeout_s)
        held = [plain]
        watchdog = Timer(target.timeout_s, _cut, (held, late))
        watchdog.daemon = True
        watchdog.start()
        try:
            reply = _exchange(held, parts, target, (method, body, headers), into)
            if late.is_set():  # a socket that was cut looks like the end of an answer without a length
                raise TimeoutError
            return reply
        finally:
            watchdog.cancel()
            held[0].close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        slow = late.is_set() or isinstance(error, TimeoutError)
        why = f"no answer within {target.timeout_s:g} s" if slow else _plain(error)
        raise SpeechFailedError(f"The {target.what} at {parts.hostname} failed: {why}.") from error


def _exchange(
    held: list[socket.socket],
    parts: SplitResult,
    target: Target,
    request: tuple[str, bytes | None, Mapping[str, str]],
    into: BinaryIO | None,
) -> Reply:
    method, body, headers = request
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    if parts.scheme == "https":
        held[0] = secured = ssl.create_default_context().wrap_socket(
            held[0], server_hostname=parts.hostname, do_handshake_on_connect=False
        )
        secured.do_handshake()  # under the watchdog's eyes, like all else
    connection.sock = held[0]
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, {**headers, "Host": parts.netloc, "Connection": "close"})
        with closing(connection.getresponse()) as answer:
            return _read(answer, target, into)
    finally:
        connection.close()


def _read(answer: http.client.HTTPResponse, target: Target, into: BinaryIO | None) -> Reply:
    if (answer.length or 0) > target.size_max:
        raise ValueError(f"it announces {answer.length} octets")
    data, length = b"", 0
    if into is not None and answer.status == 200:
        while length <= target.size_max and (part := answer.read(PIECE)):
            length += into.write(part)
    else:
        data = answer.read(target.size_max + 1)
        length = len(data)
    if length > target.size_max:
        raise ValueError(f"it sends more than {target.size_max} octets")
    if answer.length:  # what is missing of the length that it announced
        raise ValueError("it ended in the middle")
    return Reply(answer.status, answer.headers.get_content_type(), data)


def _looked_up(host: str, port: int, target: Target) -> str:
    try:
        found = sorted({str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except OSError as error:
        raise SpeechFailedError(f"The {target.what}'s host {host} has no address: {error}.") from error
    if not found or not all(reachable(each, target.networks) for each in found):
        raise SpeechUnavailableError(
            f"The {target.what}'s host {host} leads to {', '.join(found)}, which is not listed."
        )
    return found[0]


def _cut(held: list[socket.socket], late: Event) -> None:
    late.set()
    try:
        # the plain method: that of a TLS socket would take its state from under the reading thread
        socket.socket.shutdown(held[0], socket.SHUT_RDWR)
    except OSError:  # it ended by itself in the same moment
        return


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == each.version and address in each for each in networks)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _plain(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
