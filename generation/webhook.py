"""One signed message to one address of somebody else's: plain Python, no database, no settings.

An administrator lists the hosts. The address behind a host is looked up once, judged, and connected to; the
name is looked up by nobody again. No redirects, no proxy, nothing of the answer but its status.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from generation.addresses import Address, is_public
from generation.errors import CallbackRefusedError

Resolver = Callable[[str, int], list[str]]

ANSWER_WITHIN_S = 6.0
"""From the connection to the status line (docs.synthesia.io, webhooks: the same bound)."""
URL_CHARS = 500
HTTPS_PORT = 443
METADATA = frozenset({"fd00:ec2::254", "100.100.100.200"})
"""Where clouds tell a machine its secrets, beside the link-local 169.254.169.254."""
_URL = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # printable ASCII without space " < > \ ^ ` { | }
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_TAIL_OF_NUMBER = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)")


@dataclass(frozen=True, slots=True)
class Place:
    """A host that may be called; with ``address`` it is that very one, which may be inside the house."""

    host: str
    port: int = HTTPS_PORT
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address: where to connect, and what to ask for."""

    place: Place
    path: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try; ``final`` means that another try would be the same."""

    status: int = 0
    problem: str = ""
    final: bool = False

    @property
    def delivered(self) -> bool:
        """The receiver has it."""
        return not self.problem


def read_places(entries: Iterable[str]) -> tuple[Place, ...]:
    """The allow-list: ``host``, ``host:port``, ``host=address`` or ``host:port=address`` each.

    A literal address stands for itself. An address named here may be private or loopback: the administrator
    says so; one that can only lead to a machine's own metadata or to many machines may not.

    Raises:
        CallbackRefusedError: an entry that cannot be read.
    """
    return tuple(_place(entry.strip().lower()) for entry in entries)


def check_url(url: str, places: Iterable[Place]) -> Target:
    """The target of an address, when it may be called at all; nothing is looked up.

    Raises:
        CallbackRefusedError: not https, not on the list, or written so that two readers read two hosts.
    """
    if len(url) > URL_CHARS or not _URL.fullmatch(url.lower()):
        raise CallbackRefusedError(f"An address has 1 to {URL_CHARS} characters of plain ASCII.")
    try:
        parts = urlsplit(url)
        port = parts.port or HTTPS_PORT
    except ValueError:
        raise CallbackRefusedError("The address cannot be read.") from None
    if parts.scheme != "https":
        raise CallbackRefusedError("Only https addresses are called.")
    if "@" in parts.netloc or "#" in url or "%" in parts.netloc:
        raise CallbackRefusedError("An address has no user, no fragment and no escapes in its host.")
    host = parts.hostname or ""
    place = next((each for each in places if (each.host, each.port) == (host, port)), None)
    if place is None:
        raise CallbackRefusedError(f"{host[:80] or 'Nothing'}:{port} is not on the list of hosts.")
    query = f"?{parts.query}" if parts.query else ""
    return Target(place, (parts.path or "/") + query)


def look_up(host: str, port: int) -> list[str]:
    """Every address of a host.

    Raises:
        OSError: it has none.
    """
    return sorted({str(item[4][0]) for item in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 in hex over ``timestamp.body``; ``timestamp`` in seconds since 1970."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def headers_of(secret: str, *, timestamp: int, body: bytes, delivery: str) -> dict[str, str]:
    """The headers of one try; ``delivery`` stays the same over the tries of one message."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Likeness",
        "Likeness-Delivery": delivery,
        "Likeness-Timestamp": str(timestamp),
        "Likeness-Signature": sign(secret, timestamp, body),
    }


def trust(roots: str = "") -> ssl.SSLContext:
    """Whose certificates are believed: the system's, or those in a PEM file."""
    return ssl.create_default_context(cafile=roots or None)


def post(
    target: Target,
    body: bytes,
    headers: Mapping[str, str],
    *,
    context: ssl.SSLContext,
    resolve: Resolver = look_up,
    within_s: float = ANSWER_WITHIN_S,
) -> Outcome:
    """Send it once; whatever goes wrong is told in the outcome."""
    place = target.place
    try:
        address = str(place.address) if place.address else _judged(place, resolve)
    except OSError:
        return Outcome(problem="dns")
    except CallbackRefusedError:
        return Outcome(problem="address_refused", final=True)
    try:
        status = _exchange(place, address, target.path, body, headers, context, within_s)
    except TimeoutError:
        return Outcome(problem="timeout")
    except ssl.SSLError:
        return Outcome(problem="tls")
    except (OSError, http.client.HTTPException):
        return Outcome(problem="connection")
    if 200 <= status < 300:
        return Outcome(status)
    if 300 <= status < 400:
        return Outcome(status, "redirect", final=True)
    return Outcome(status, "status", final=status == http.client.GONE)


def _place(entry: str) -> Place:
    name, _, pinned = entry.partition("=")
    try:
        parts = urlsplit(f"//{name}")
        host, port = parts.hostname or "", parts.port or HTTPS_PORT
        literal = _literal(host)
        address = ipaddress.ip_address(pinned) if pinned else literal
    except ValueError:
        raise CallbackRefusedError(f"The host {entry[:80]!r} cannot be read.") from None
    looks_numeric = literal is None and _TAIL_OF_NUMBER.fullmatch(host)
    if (literal is None and (looks_numeric or not _HOST.fullmatch(host))) or parts.path or "@" in name:
        raise CallbackRefusedError(f"The host {entry[:80]!r} cannot be read.")
    if address is not None and _never_pinned(address):
        raise CallbackRefusedError(f"The host {entry[:80]!r} is one that is never called.")
    return Place(host, port, address)


def _never_pinned(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
        or str(address) in METADATA
    )


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _judged(place: Place, resolve: Resolver) -> str:
    """One address of the host. A single bad one spoils them all: that is how rebinding starts."""
    found = resolve(place.host, place.port)
    if not found or not all(is_public(each) for each in found):
        raise CallbackRefusedError(f"{place.host} leads to an address that is not public.")
    return found[0]


def _exchange(
    place: Place,
    address: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    context: ssl.SSLContext,
    within_s: float,
) -> int:
    ends = time.monotonic() + within_s
    plain = socket.create_connection((address, place.port), timeout=within_s)
    secured = context.wrap_socket(plain, server_hostname=place.host, do_handshake_on_connect=False)
    with secured, _deadline(secured, max(ends - time.monotonic(), 0.1)):
        secured.do_handshake()
        connection = http.client.HTTPSConnection(place.host, place.port)
        connection.sock = secured
        connection.request("POST", path, body, dict(headers))
        return connection.getresponse().status


@contextmanager
def _deadline(connection: socket.socket, within_s: float) -> Iterator[None]:
    """Cut the connection when the time is over: a timeout of the socket starts anew with every byte."""
    passed = threading.Event()

    def cut() -> None:
        passed.set()
        try:
            # not SSLSocket.shutdown: it drops the TLS state that the reader still uses
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        except OSError:
            return  # it is closed already

    timer = threading.Timer(within_s, cut)
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if passed.is_set():
            raise TimeoutError(f"No answer within {within_s} s.") from None
        raise
    finally:
        timer.cancel()
