"""Changes to the log: append is what other packages call; the rest is its operator's."""

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any
from weakref import WeakSet

import psycopg
from django.conf import settings
from django.db import connection, transaction
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from audit import keys, leaf, pushing, signer, witnesses
from audit.checkpoint import Note, VerifierKey
from audit.errors import KeyRotationError, NotInTransactionError
from audit.events import Actor, Event, KeyAdded, KeyRetired, LogResumed
from audit.keys import LogKey, State
from audit.models import Checkpoint

LOG = "log"  # the purpose of the key that signs checkpoints
# No conflict target and no RETURNING: both would need SELECT, which the application does not have here.
_INSERT = b"INSERT INTO audit_outbox (event_id, body) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_NAME, _TYPES = b"audit_append", (2950, 17)  # uuid, bytea
_BINARY = 1
_prepared: WeakSet[psycopg.Connection[Any]] = WeakSet()


def append(event: Event, *, actor: Actor, request: str = "") -> uuid.UUID:
    """Put an event into the log, together with the change that the caller's transaction makes.

    The entry has no index yet: after the commit, `selectors.receipt(event_id)` gives it.

    Raises:
        NotInTransactionError: there is no transaction to be part of.
        EventError: the event breaks a rule of the log.
    """
    if not connection.in_atomic_block:
        raise NotInTransactionError(f"{type(event).__name__} was appended outside a transaction.")
    event_id = uuid.uuid4()
    body = leaf.encode(event, actor=actor, event_id=event_id, at=datetime.now(UTC), request=request)
    _insert(event_id, body)
    return event_id


def _insert(event_id: uuid.UUID, body: bytes) -> None:
    """Execute a prepared statement through libpq: half the processor time of a Django cursor.

    The application's sessions are its own (`generation.leases`), so that a statement stays prepared.
    """
    session: psycopg.Connection[Any] = connection.connection
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        if session.pgconn.transaction_status == TransactionStatus.IDLE:
            _begin(session)
        if session not in _prepared:
            _require(session, session.pgconn.prepare(_NAME, _INSERT, _TYPES))
            _prepared.add(session)
        values = (event_id.bytes, body)
        _require(session, session.pgconn.exec_prepared(_NAME, values, (_BINARY, _BINARY), _BINARY))


def _begin(session: psycopg.Connection[Any]) -> None:
    """Begin what psycopg begins with the first statement of a transaction, which the append may be."""
    if session.isolation_level is None and session.read_only is None and session.deferrable is None:
        _require(session, session.pgconn.exec_(b"BEGIN"))
    else:
        session.execute("SELECT 1")  # psycopg knows how this transaction is to begin


def _require(session: psycopg.Connection[Any], result: PGresult) -> None:
    if result.status == ExecStatus.COMMAND_OK:
        return
    if session.closed:
        raise psycopg.OperationalError(session.pgconn.get_error_message())
    error = psycopg.errors.error_from_result(result, encoding=session.info.encoding)
    if isinstance(error, psycopg.errors.InvalidSqlStatementName):
        _prepared.discard(session)  # somebody deallocated it: the next transaction prepares anew
    raise error


def rotate(*, by: Actor, transit_url: str = "", pkcs11_uri: str = "") -> LogKey:
    """Let a further key sign every checkpoint beside the old one: a new seed, or a key of Vault or of an HSM.

    The running sequencer takes it up by itself. The log's own policy and the local witness learn of it; other
    witnesses and auditors must be told before the old key is retired.

    Raises:
        KeyRotationError: a rotation is under way.
        SignerUnavailableError: the key service does not answer with a key.
    """
    place, origin = signer.home(), settings.LIKENESS_LOG_ORIGIN
    signer.local()
    if transit_url:
        key = keys.find_transit_key(place, origin, transit_url)
    elif pkcs11_uri:
        key = keys.find_pkcs11_key(place, origin, pkcs11_uri)
    else:
        key = keys.make_file_key(place, origin)
    with transaction.atomic():
        append(KeyAdded(key=str(key.key), purpose=LOG), actor=by)
        keys.add(place, key)  # last: it cannot be rolled back
    witnesses.trust(key.key)
    return key


def retire(*, by: Actor) -> VerifierKey:
    """End a rotation: the older of two keys signs no more, and its seed is destroyed if it lies here.

    Raises:
        KeyRotationError: no rotation is under way, or the new key has not signed the newest checkpoint.
    """
    place = signer.home()
    active = [key.key for key in keys.read(place) if key.state is State.ACTIVE]
    if len(active) < 2:
        raise KeyRotationError("No rotation is under way: one key signs.")
    head = Checkpoint.objects.order_by("-size").first()
    if head is None or set(Note.parse(head.note).signers(active)) != set(active):
        raise KeyRotationError("The newest checkpoint is not signed by both keys yet.")
    with transaction.atomic():
        append(KeyRetired(key=str(active[0]), purpose=LOG), actor=by)
        keys.retire(place, active[0])
    return active[0]


def resume(writer: pushing.Connection, *, reason: str, by: Actor) -> None:
    """Let a log that a witness refused be signed again; `writer` is a session of the sequencer's role.

    Raises:
        WitnessError: nothing is frozen.
        EventError: the reason is not a code.
    """
    with transaction.atomic():
        evidence = signer.evidence(signer.home())
        digest = hashlib.sha256(evidence.encode()).hexdigest()
        append(LogResumed(reason=reason, evidence=digest), actor=by)
        pushing.resume(writer, by=by.id)
