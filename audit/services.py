"""Changes to the log: append is what other packages call; the rest is its operator's."""

import hashlib
import uuid
from datetime import UTC, datetime

import psycopg
from django.conf import settings
from django.db import connection, transaction

from audit import keys, leaf, pushing, signer, witnesses
from audit.checkpoint import Note, VerifierKey
from audit.errors import KeyRotationError, NotInTransactionError
from audit.events import Actor, Event, KeyAdded, KeyRetired, LogResumed
from audit.keys import LogKey, State
from audit.models import Checkpoint

LOG = "log"  # the purpose of the key that signs checkpoints
# No conflict target and no RETURNING: both would need SELECT, which the application does not have here.
_INSERT = "INSERT INTO audit_outbox (event_id, body) VALUES (%b, %b) ON CONFLICT DO NOTHING"
_PREPARE_AFTER = 5  # psycopg's own default, which Django switches off


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
    """Send the values beside a prepared statement: a quarter of what it costs the server as text.

    The application's sessions are its own (`generation.leases`), so that a statement stays prepared.
    """
    session = connection.connection
    if session.prepare_threshold is None:
        session.prepare_threshold = _PREPARE_AFTER  # Django's own cursors never prepare
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(session) as cursor:
        cursor.execute(_INSERT, [event_id, body])


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
