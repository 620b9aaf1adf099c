"""Two safe ways on for a database that was restored to an older state than the one that was signed.

- `replay`: the missing entries are put back from a signed copy of this log; nothing is lost.
- `reopen`: they are lost. The log goes on under a new origin with a new key, and its first entry says from
  which log, what had been signed of it, and how many of its entries are kept. The old signer's memory stays
  as evidence; under the old name nothing is ever signed again.

Neither ever moves a signer's mark. Both keep every index, so that whatever names an entry goes on naming it.
"""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from shutil import rmtree

from django.db import connections

from audit import checkpoint, fsck, keys, leaf, signer, tiles, witnesses
from audit.checkpoint import Checkpoint, open_checkpoint
from audit.errors import FormatError, RestoreError
from audit.events import SYSTEM, Actor, Event, LogOpened, LogRestored
from audit.keys import LogKey
from audit.sequencer import Connection, Sequencer
from audit.signer import MARK_FILE, FileSigner
from audit.tiles import Edge

_ACTOR = Actor(SYSTEM, SYSTEM)
_NAMED = "SELECT 1 FROM audit_entry WHERE position(%s::bytea IN body) > 0 LIMIT 1"


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many entries the log held, and how many it holds now."""

    kept: int
    size: int


def replay(connection: Connection, copy: Path) -> Replayed:
    """Put the missing entries back from a directory that `likeness audit export` wrote; nothing else changes.

    The connection is of the sequencer's role; no sequencer may run. A last entry says that it was done.

    Raises:
        SequencerBusyError: a sequencer runs.
        RestoreError: nothing is missing, or the copy is not signed, ends too early, or is of another past.
    """
    mark, writer = _locked(connection, signer.local())
    _require_missing(mark, writer)
    kept, head = writer.size, _copied_head(copy)
    if head.size < mark.size:
        raise RestoreError(
            f"The copy ends at {head.size} entries; {mark.size} were signed. Find a newer one."
        )

    def check(edge: Edge) -> None:
        for signed in (mark, head):
            if edge.size == signed.size and edge.root() != signed.root:
                raise RestoreError(f"The database and the copy are not of one log of {signed.size} entries.")

    missing = _copied(copy, head.size, start=kept, stop_at=mark.size)
    writer.take(chain(missing, [[_body(LogRestored(kept=kept, size=head.size))]]), check=check)
    writer.publish()
    return Replayed(kept, head.size)


def reopen(connection: Connection, *, origin: str) -> LogKey:
    """Go on under a new origin over the entries that are left; its key. Run twice, it ends what was begun.

    Afterwards LIKENESS_LOG_ORIGIN has to name the new origin.

    Raises:
        SequencerBusyError: a sequencer runs.
        RestoreError: nothing is missing, the origin was used before, or what is left does not hold.
        NoteError: the origin is no name for a log.
    """
    checkpoint.check_name(origin)
    place, fresh = signer.home(), signer.home().with_name("signer.new")
    if not place.exists() and fresh.exists():
        return _put_in_place(fresh, place)
    if origin in {key.name for key in signer.published_keys()}:
        raise RestoreError(f"The origin {origin} was used before; a new one needs a new name.")
    mark, writer = _locked(connection, signer.local())
    key = _begun(fresh, origin)
    if key is None or not _is_opened(connection, key):
        _require_missing(mark, writer)
        _require_whole()
        key = _new_key(fresh, origin)
        writer.take([[_body(_opened(mark, key, kept=writer.size))]], check=lambda _: None)
    _sign(connection, fresh, origin)
    witnesses.trust(key.key)
    place.rename(place.with_name(f"{place.name}.{len(signer.past_homes()) + 1}"))
    return _put_in_place(fresh, place)


def _sign(connection: Connection, fresh: Path, origin: str) -> None:
    """The first head under the new origin; its signer remembers it before the old one is put away."""
    writer = Sequencer(connection, signer=FileSigner(origin, seed=bytes(32), home=fresh))
    writer.load()
    writer.publish()


def _put_in_place(fresh: Path, place: Path) -> LogKey:
    fresh.rename(place)
    (key,) = keys.read(place)
    return key


def _opened(mark: Checkpoint, key: LogKey, *, kept: int) -> LogOpened:
    return LogOpened(
        origin=key.key.name,
        key=str(key.key),
        previous=mark.origin,
        previous_size=mark.size,
        previous_root=mark.root.hex(),
        previous_note=hashlib.sha256((signer.home() / MARK_FILE).read_bytes()).hexdigest(),
        kept=kept,
    )


def _locked(connection: Connection, holder: FileSigner) -> tuple[Checkpoint, Sequencer]:
    """What was signed last, and a writer that no sequencer runs beside."""
    mark, writer = holder.mark(), Sequencer(connection, signer=holder)
    writer.lock()
    writer.load()
    if mark is None:
        raise RestoreError(f"Nothing was signed as {holder.key.name} yet.")
    return mark, writer


def _require_missing(mark: Checkpoint, writer: Sequencer) -> None:
    if writer.size >= mark.size:
        raise RestoreError(
            f"The log holds {writer.size} entries and {mark.size} were signed: its end is not missing."
        )


def _copied_head(copy: Path) -> Checkpoint:
    try:
        note = (copy / "checkpoint").read_bytes().decode()
        return open_checkpoint(note, *signer.published_keys())
    except (OSError, UnicodeDecodeError, FormatError) as error:
        raise RestoreError(f"{copy} is no copy that this log signed: {error}") from error


def _copied(copy: Path, size: int, *, start: int, stop_at: int) -> Iterator[list[bytes]]:
    """The entries of a copy from an index on, in batches; one of them ends at `stop_at`."""
    for path in tiles.paths(size):
        if path.level is not None or path.last <= start:
            continue
        try:
            bodies = tiles.unbundle((copy / str(path)).read_bytes())
        except (OSError, FormatError) as error:
            raise RestoreError(f"{copy / str(path)} cannot be read: {error}") from error
        if len(bodies) != path.last - path.first:
            raise RestoreError(f"{copy / str(path)} does not hold {path.last - path.first} entries.")
        begin, middle = max(0, start - path.first), stop_at - path.first
        if begin < middle < len(bodies):
            yield bodies[begin:middle]
            begin = middle
        yield bodies[begin:]


def _require_whole() -> None:
    """Every head that the database still has must hold: what was edited is not gone on from."""
    with connections[fsck.ALIAS].cursor() as cursor:
        problems = fsck.inspect(cursor, keys=signer.published_keys(), mark=None)
    if problems:
        raise RestoreError(f"What is left of the log does not hold: {problems[0].message}")


def _begun(fresh: Path, origin: str) -> LogKey | None:
    """The key that an interrupted attempt made for this origin."""
    made = keys.read(fresh) if fresh.exists() else ()
    return made[0] if made and made[0].key.name == origin else None


def _new_key(fresh: Path, origin: str) -> LogKey:
    """A key for the new origin, in a home beside the old one."""
    rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    key = keys.make_file_key(fresh, origin)
    keys.write(fresh, (key,))
    return key


def _is_opened(connection: Connection, key: LogKey) -> bool:
    """Whether the entry that opens the new origin was written already."""
    row = connection.execute(_NAMED, [str(key.key).encode()]).fetchone()
    return row is not None


def _body(event: Event) -> bytes:
    return leaf.encode(event, actor=_ACTOR, event_id=uuid.uuid4(), at=datetime.now(UTC))
