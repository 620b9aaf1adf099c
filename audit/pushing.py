"""Checkpoints go to the witnesses, cosignatures come back: a thread that never holds the sequencer up.

- A new head goes out at once, but at most one a second; a resting log is confirmed every quarter of an hour.
- A witness that does not answer is asked again, less eagerly each time, at the latest after 60 s.
- 409: the proof is made anew from the size that the witness names. 422, or a size that the log does not
  have: this log is not the one that the witness cosigned. The question and the answer are kept, and nothing
  more is signed until a person decides.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg

from audit import checkpoint, signer, store, witnesses
from audit.checkpoint import Checkpoint, Note, VerifierKey
from audit.errors import AuditError, NoteError, WitnessError
from audit.policy import Policy
from audit.tiles import TileTree
from audit.witness import Answer, Request

PAUSE_S, LATEST_S, CONFIRM_S, TIMEOUT_S = 1.0, 60.0, 900.0, 10.0
MAX_ANSWER_BYTES = 64 * 1024
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_NEWEST = "SELECT size, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1"
_COSIGNED = "SELECT coalesce(max(size), 0) FROM audit_cosignature WHERE witness = %s"
_STORE = """
    INSERT INTO audit_cosignature (size, witness, time, line) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_ALARM = "INSERT INTO audit_alarm (frozen, witness, evidence) VALUES (%s, %s, %s)"
log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(slots=True)
class _Peer:
    """What is known of one witness: which size it has, when it said so, and when to ask it again."""

    size: int | None = None
    said_at: float = 0.0
    ask_at: float = 0.0
    delay_s: float = 0.0


class Pusher:
    """The thread; `connect` opens a session of the sequencer's role."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._fresh, self._stop = threading.Event(), threading.Event()
        self._peers: dict[VerifierKey, _Peer] = {}
        self._thread = threading.Thread(target=self._run, name="witnesses", daemon=True)

    def start(self) -> None:
        """Begin, with the newest head; safe to call twice."""
        self._fresh.set()
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        """End; a request that is under way is given up."""
        self._stop.set()
        self._fresh.set()
        if self._thread.is_alive():
            self._thread.join(timeout=PAUSE_S)

    def note_head(self) -> None:
        """There is a new signed head; returns at once."""
        self._fresh.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._fresh.clear()
            wait_s = LATEST_S
            try:
                witnesses.ensure_policy()
                known = witnesses.load()
                if known is not None and known.witnesses and not signer.frozen(signer.home()):
                    with self._connect() as connection:
                        wait_s = self._ask_all(connection, known)
            except (psycopg.Error, AuditError, OSError) as error:
                log.warning("the witnesses were not asked: %s", error)
                wait_s = PAUSE_S * 5
            except Exception:  # the edge of the thread: without it nobody would be asked ever again
                log.exception("the witnesses were not asked")
            self._stop.wait(PAUSE_S)
            self._fresh.wait(wait_s)

    def _ask_all(self, connection: Connection, known: Policy) -> float:
        """Ask every witness that is due; in how many seconds the next one is."""
        for name, key in known.witnesses.items():
            peer, now = self._peers.setdefault(key, _Peer()), time.monotonic()
            url = witnesses.url_of(name, known)
            if not url or now < peer.ask_at or self._stop.is_set():
                continue
            try:
                self._ask(connection, key, peer, url)
                peer.delay_s = peer.ask_at = 0.0
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, WitnessError, NoteError) as error:
                peer.delay_s = min(LATEST_S, max(PAUSE_S, peer.delay_s * 2))
                peer.ask_at = now + peer.delay_s
                log.warning("the witness %s gave no cosignature: %s", name, error)
        waits = [peer.ask_at - time.monotonic() for peer in self._peers.values() if peer.ask_at]
        return max(0.0, min([LATEST_S, *waits]))

    def _ask(self, connection: Connection, key: VerifierKey, peer: _Peer, url: str) -> None:
        if peer.size is None:
            peer.size = cosigned_size(connection, key)
        for _ in range(2):
            head = newest(connection)
            if head is None or (peer.size == head[0] and time.monotonic() - peer.said_at < CONFIRM_S):
                return
            asked = request(connection, peer.size, *head)
            answer = post(url, str(asked))
            if answer.status == 409:
                peer.size = _named_size(answer)
                if peer.size > head[0] and (again := newest(connection)) and peer.size > again[0]:
                    freeze(connection, key, asked, answer)
                    return
            elif answer.status == 422:
                freeze(connection, key, asked, answer)
                return
            elif answer.status == 200:
                accept(connection, key, head[0], head[1], answer.body)
                peer.size, peer.said_at = head[0], time.monotonic()
                return
            else:
                raise WitnessError(f"{url} answered {answer.status}: {answer.body[:200].strip()}")
        raise WitnessError(f"{url} named another size twice.")


def newest(connection: Connection) -> tuple[int, str] | None:
    """The size and the note of the newest signed head."""
    row = connection.execute(_NEWEST).fetchone()
    return None if row is None else (int(row[0]), str(row[1]))


def cosigned_size(connection: Connection, key: VerifierKey) -> int:
    """The newest size that a witness cosigned, as far as this log knows."""
    row = connection.execute(_COSIGNED, [key.name]).fetchone()
    return int(row[0]) if row else 0


def request(connection: Connection, old: int, size: int, note: str) -> Request:
    """The body of add-checkpoint for a head; a witness that is ahead will say so."""
    with connection.cursor() as cursor:
        tree = TileTree(size, store.reader(cursor))
        return Request(min(old, size), tree.consistency(min(old, size)), note)


def post(url: str, body: str) -> Answer:
    """Send add-checkpoint.

    Raises:
        httpx.HTTPError: there is no answer.
        WitnessError: the answer is too long.
    """
    proxied = urlsplit(url).hostname not in _LOOPBACK
    with (
        httpx.Client(timeout=TIMEOUT_S, trust_env=proxied) as client,
        client.stream("POST", f"{url}/add-checkpoint", content=body.encode()) as answer,
    ):
        content = b""
        for part in answer.iter_bytes():
            content += part
            if len(content) > MAX_ANSWER_BYTES:
                raise WitnessError(f"{url} answered more than {MAX_ANSWER_BYTES} bytes.")
        return Answer(answer.status_code, content.decode(errors="replace"))


def _named_size(answer: Answer) -> int:
    try:
        return Request.parse(f"old {answer.body}\n".encode()).old
    except AuditError as error:
        raise WitnessError("The witness named no size.") from error


def accept(connection: Connection, key: VerifierKey, size: int, note: str, lines: str) -> None:
    """Store a witness's cosignature under one of the log's heads.

    Raises:
        NoteError: it is not the witness's, or not of this head.
        WitnessError: the witness is not among the signers.
    """
    under = Note.parse(note)
    for line in lines.splitlines():
        signature = checkpoint.Signature.parse(line)
        if (signature.name, signature.key_id) == (key.name, key.id):
            when = key.verifies(under.text, signature.value)
            connection.execute(_STORE, [size, key.name, when, str(signature)])
            return
    raise WitnessError(f"The answer holds no cosignature of {key.name}.")


def freeze(connection: Connection, key: VerifierKey, asked: Request | Note, answer: Answer) -> None:
    """Stop signing, and keep the evidence: outside the database for the signer, inside it for the portal."""
    evidence = (
        f"The witness {key.name} answered {answer.status} at {datetime.now(UTC).isoformat()}.\n\n"
        f"--- asked ---\n{asked}\n--- answered ---\n{answer.body}"
    )
    signer.freeze(signer.home(), evidence)
    connection.execute(_ALARM, [True, key.name, evidence])
    log.critical("the witness %s refused this log (%d): nothing is signed any more", key.name, answer.status)


def resume(connection: Connection, *, by: str) -> str:
    """Let the log be signed again; the evidence that was put aside.

    Raises:
        WitnessError: nothing is frozen.
    """
    kept = signer.thaw(signer.home())
    connection.execute(_ALARM, [False, by, str(kept.name)])
    return kept.read_text(encoding="utf-8")


def head_of(connection: Connection, cosigned: Note) -> tuple[int, str] | None:
    """The log's own head under a cosigned note that a courier brought; None if the log never signed it."""
    head = Checkpoint.parse(cosigned.text)
    row = connection.execute("SELECT note FROM audit_checkpoint WHERE size = %s", [head.size]).fetchone()
    return (head.size, str(row[0])) if row and Note.parse(str(row[0])).text == cosigned.text else None
