"""The local check of the log: every entry, tile, search key, signature and tree head.

It finds what was edited and names the entry. It is no proof against the log's own operator: who holds the
log's key and the database can rewrite both, and only a witness outside notices that.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from django.db import connections, transaction

from audit import leaf, ranges, resuming, sequencer, signer, store
from audit.checkpoint import Checkpoint, VerifierKey, open_checkpoint
from audit.errors import CheckStateError, FormatError, SignerRefusedError
from audit.ranges import Head, Problem, Scanned
from audit.resuming import Reached
from audit.tiles import WIDTH, Edge, FullTile, split

__all__ = ["Problem", "check", "inspect", "processes"]
ALIAS = "auditor"
SAVE_EVERY = 16 * ranges.RANGE
WORTH_PROCESSES = 6 * ranges.RANGE  # below that they cost more time than they save
Progress = Callable[[int, int], None]
"""(entries checked, entries in all)"""

_TILES = "SELECT root, hashes FROM audit_tile WHERE level = %s AND n = %s"
_HEAD_BELOW = "SELECT size, note FROM audit_checkpoint WHERE size <= %s ORDER BY size DESC LIMIT 1"
_HEADS_BEYOND = "SELECT size FROM audit_checkpoint WHERE size > %s ORDER BY size"


def processes() -> int:
    """How many processes a check of a long log uses."""
    return min(4, len(os.sched_getaffinity(0)))


def check(
    progress: Progress | None = None, *, since: int = 0, state: Path | None = None, parallel: int = 1
) -> list[Problem]:
    """Check the log as the auditor's role, in one snapshot; in `parallel` processes where that is worth it.

    `since` starts at the newest signed head of at most that size, and takes what lies below it as signed.
    `state` is a file: an interrupted check goes on from it, and a finished one removes it.

    Raises:
        LogKeyMissingError: no sequencer ever started here, so no signature can be checked.
        CheckStateError: there is no signed head to start from, or the state is not of this log.
    """
    keys = signer.published_keys()
    mark, problems = _mark(keys)  # before the snapshot: the sequencer commits first and signs then
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        checker = _Checker(cursor, keys, mark, _start(cursor, keys, since, state))
        checker.run(progress, state=state, parallel=parallel)
    if state is not None:
        state.unlink(missing_ok=True)
    return problems + checker.reached.problems


def inspect(
    cursor: store.Cursor,
    *,
    keys: Sequence[VerifierKey],
    mark: Checkpoint | None,
    progress: Progress | None = None,
) -> list[Problem]:
    """Check what one transaction sees of the log against the log's keys and its signer's memory."""
    checker = _Checker(cursor, keys, mark, Reached(keys[0].name, Edge(0, [])))
    checker.run(progress, state=None, parallel=1)
    return checker.reached.problems


def _mark(keys: Sequence[VerifierKey]) -> tuple[Checkpoint | None, list[Problem]]:
    path = signer.home() / signer.MARK_FILE
    if not path.exists():
        return None, [Problem(None, "signer", "The signer's high-water mark is missing.")]
    try:
        return open_checkpoint(path.read_bytes().decode(), *keys), []
    except (FormatError, UnicodeDecodeError, SignerRefusedError) as error:
        return None, [Problem(None, "signer", f"The signer's high-water mark does not hold: {error}")]


def _start(cursor: store.Cursor, keys: Sequence[VerifierKey], since: int, state: Path | None) -> Reached:
    origin = keys[0].name
    if state is not None and state.exists():
        return resuming.load(state, origin)
    if not since:
        return Reached(origin, Edge(0, []))
    cursor.execute(_HEAD_BELOW, [since])
    row = cursor.fetchone()
    if row is None:
        raise CheckStateError(f"No checkpoint of at most {since} entries was signed.")
    size, note = row
    edge = Edge.load(size, store.reader(cursor))
    reached = Reached(origin, edge, agreed=size)
    try:
        held = open_checkpoint(note, *keys).root == edge.root()
    except FormatError:
        held = False
    if not held:
        message = f"The signed tree of {size} entries, from which this check starts, is not theirs."
        reached.problems.append(Problem(None, f"checkpoint {size}", message))
    return reached


class _Checker:
    """One pass over the entries, with the tree and its heads beside it."""

    def __init__(
        self, cursor: store.Cursor, keys: Sequence[VerifierKey], mark: Checkpoint | None, reached: Reached
    ) -> None:
        self._cursor = cursor
        self._keys = keys
        self._mark = mark
        self.reached = reached

    def run(self, progress: Progress | None, *, state: Path | None, parallel: int) -> None:
        """Check everything from what was reached on."""
        total, saved = store.size(self._cursor), self.reached.size
        for scanned in self._scan(total, parallel):
            self._take(scanned)
            if state is not None and self.reached.size - saved >= SAVE_EVERY:
                resuming.save(state, self.reached)
                saved = self.reached.size
            if progress is not None:
                progress(self.reached.size, total)
        self._blame()
        self._check_left_over()
        self._check_mark()
        self._check_refused()

    def _scan(self, total: int, parallel: int) -> Iterable[Scanned]:
        start = self.reached.size
        if parallel < 2 or total - start < WORTH_PROCESSES:
            return ranges.in_turn(self._cursor, start, total, self._keys)
        self._cursor.execute("SELECT pg_export_snapshot()")
        snapshot = str(self._cursor.fetchone()[0])
        parameters = sequencer.parameters(ALIAS)
        return ranges.side_by_side(parameters, snapshot, start, total, self._keys, processes=parallel)

    def _report(self, index: int | None, what: str, message: str) -> None:
        self.reached.problems.append(Problem(index, what, message))

    def _take(self, scanned: Scanned) -> None:
        """Grow the tree by one range, and hold it against its tiles and heads."""
        self.reached.problems += scanned.problems
        edge, heads, at = self.reached.edge, list(reversed(scanned.heads)), 0
        for leaf_hash in split(scanned.leaf_hashes):
            for tile in edge.append(leaf_hash):
                self._check_tile(tile)
            at = edge.size
            while heads and heads[-1].size <= at:
                self._check_head(heads.pop())

    def _check_tile(self, tile: FullTile) -> None:
        name = f"tile {tile.level}/{tile.n}"
        self._cursor.execute(_TILES, [tile.level, tile.n])
        row = self._cursor.fetchone()
        if row is None:
            self._report(None, name, f"The {name} is missing.")
            return
        root, hashes = bytes(row[0]), bytes(row[1])
        if hashes == tile.hashes and root == tile.root:
            return
        if tile.level == 0:
            for offset, (was, now) in enumerate(zip(split(hashes), split(tile.hashes), strict=True)):
                if was != now:
                    index = tile.n * WIDTH + offset
                    self._report(index, name, f"Entry {index} or the {name} was changed: they differ.")
        if root != tile.root or tile.level:
            self._report(None, name, f"The {name} does not match the entries under it.")

    def _check_head(self, head: Head) -> None:
        if self.reached.broken:
            return  # every later tree holds the same entries
        if head.root == self.reached.edge.root():
            self.reached.agreed = head.size
        else:
            self.reached.broken = head.size

    def _blame(self) -> None:
        """What was changed lies between the last tree head that held and the first that did not."""
        if not self.reached.broken:
            return
        first, last = self.reached.agreed, self.reached.broken - 1
        named = any(p.index is not None and first <= p.index <= last for p in self.reached.problems)
        span = f"entry {first}" if first == last else f"one of the entries {first} to {last}"
        message = f"The signed tree of {last + 1} entries is not theirs: {span} was changed."
        self._report(first if first == last and not named else None, f"checkpoint {last + 1}", message)

    def _check_left_over(self) -> None:
        size = self.reached.size
        self._cursor.execute(_HEADS_BEYOND, [size])
        for (signed,) in self._cursor.fetchall():
            message = f"A tree of {signed} was signed, but the log holds {size} entries: its end was cut."
            self._report(size, f"checkpoint {signed}", message)
        self._cursor.execute("SELECT level, max(n) FROM audit_tile GROUP BY level ORDER BY level")
        for level, n in self._cursor.fetchall():
            if n >= size // WIDTH ** (level + 1):
                self._report(None, f"tile {level}/{n}", f"The tile {level}/{n} has no entries under it.")
        full = size // leaf.BLOCK
        self._cursor.execute("SELECT DISTINCT block FROM audit_key WHERE block >= %s OR block < 0", [full])
        for (block,) in self._cursor.fetchall():
            first = block * leaf.BLOCK
            message = f"There are search keys of the block from entry {first} on, which is not full."
            self._report(first, "key", message)

    def _check_mark(self) -> None:
        if self._mark is None:
            return
        size = self.reached.size
        if self._mark.size > size:
            message = f"A tree of {self._mark.size} was signed, but the log holds {size} entries."
            self._report(size, "signer", f"{message} Its end was cut.")
            return
        name = f"checkpoint {self._mark.size}"
        self._cursor.execute("SELECT root FROM audit_checkpoint WHERE size = %s", [self._mark.size])
        row = self._cursor.fetchone()
        if row is None:
            if store.signed_size(self._cursor) < self._mark.size:
                self._report(None, "signer", f"The {name}, which was signed last, is missing.")
        elif bytes(row[0]) != self._mark.root:
            self._report(None, "signer", f"The {name} is not the one that the signer remembers.")

    def _check_refused(self) -> None:
        self._cursor.execute("SELECT event_id, reason FROM audit_refused ORDER BY seq")
        for event_id, reason in self._cursor.fetchall():
            self._report(None, "refused", f"The event {event_id} was refused: {reason}")
