"""The local check of the whole log: every entry, tile, search key, signature and tree head.

It finds what was edited and names the entry. It is no proof against the log's own operator: who holds the
log's key and the database can rewrite both, and only a witness outside notices that.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connections, transaction

from audit import leaf, merkle, signer, store
from audit.checkpoint import Checkpoint, VerifierKey, open_checkpoint
from audit.errors import EventError, FormatError, SignerRefusedError
from audit.leaf import KeyKind
from audit.tiles import WIDTH, Edge, FullTile, split

ALIAS = "auditor"
CHUNK = 4 * WIDTH
Progress = Callable[[int, int], None]
"""(entries checked, entries in all)"""

_ENTRIES = "SELECT idx, leaf_hash, event_id, body FROM audit_entry WHERE idx >= %s ORDER BY idx LIMIT %s"
_KEYS = "SELECT idx, kind, k FROM audit_key WHERE idx >= %s AND idx < %s"
_TILES = "SELECT level, n, root, hashes FROM audit_tile WHERE level = %s AND n = %s"
_HEADS = "SELECT size, root, note FROM audit_checkpoint ORDER BY size"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not hold: which entry, if one can be named, what it is about, and in words."""

    index: int | None
    what: str
    message: str


def check(progress: Progress | None = None) -> list[Problem]:
    """Check the log as the auditor's role, in one snapshot, a chunk at a time.

    Raises:
        LogKeyMissingError: no sequencer ever started here, so no signature can be checked.
    """
    key = signer.published_key()
    mark, problems = _mark(key)  # before the snapshot: the sequencer commits first and signs then
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return problems + inspect(cursor, key=key, mark=mark, progress=progress)


def inspect(
    cursor: store.Cursor, *, key: VerifierKey, mark: Checkpoint | None, progress: Progress | None = None
) -> list[Problem]:
    """Check what one transaction sees of the log against the log's key and its signer's memory."""
    return _Checker(cursor, key, mark).run(progress)


def _mark(key: VerifierKey) -> tuple[Checkpoint | None, list[Problem]]:
    path = signer.home() / signer.MARK_FILE
    if not path.exists():
        return None, [Problem(None, "signer", "The signer's high-water mark is missing.")]
    try:
        return open_checkpoint(path.read_bytes().decode(), key), []
    except (FormatError, UnicodeDecodeError, SignerRefusedError) as error:
        return None, [Problem(None, "signer", f"The signer's high-water mark does not hold: {error}")]


class _Checker:
    """One pass over the entries, with the tree heads beside it."""

    def __init__(self, cursor: store.Cursor, key: VerifierKey, mark: Checkpoint | None) -> None:
        self._cursor = cursor
        self._key = key
        self._mark = mark
        self._edge = Edge(0, [])
        self._range = merkle.CompactRange()  # its root costs less than the edge's
        self._tiles: dict[int, int] = {}
        self._problems: list[Problem] = []
        self._agreed = 0  # the size of the last tree head that held before one did not
        self._broken = 0  # the size of the first tree head that did not
        self._heads: deque[tuple[int, bytes, str]] = deque()

    def run(self, progress: Progress | None) -> list[Problem]:
        total = store.size(self._cursor)
        self._cursor.execute(_HEADS)
        self._heads.extend((size, bytes(root), note) for size, root, note in self._cursor.fetchall())
        for done in self._entries():
            if progress is not None:
                progress(done, total)
        self._blame()
        self._check_left_over()
        self._check_mark()
        self._check_refused()
        return self._problems

    def _report(self, index: int | None, what: str, message: str) -> None:
        self._problems.append(Problem(index, what, message))

    def _entries(self) -> Iterator[int]:
        self._check_heads()
        start = 0
        while True:
            self._cursor.execute(_ENTRIES, [start, CHUNK])
            rows = self._cursor.fetchall()
            if not rows:
                return
            end = rows[-1][0] + 1
            self._cursor.execute(_KEYS, [start, end])
            keys: dict[int, set[tuple[int, bytes]]] = {}
            for index, kind, k in self._cursor.fetchall():
                keys.setdefault(index, set()).add((kind, bytes(k)))
            for index, leaf_hash, event_id, body in rows:
                self._check_gap(index)
                self._check_entry(index, bytes(leaf_hash), event_id, bytes(body), keys.get(index, set()))
            start = end
            yield end

    def _check_gap(self, index: int) -> None:
        if index != self._edge.size:
            self._report(self._edge.size, "entry", f"Entry {self._edge.size} is missing.")
            while self._edge.size < index:
                self._grow(bytes(merkle.HASH_BYTES))

    def _check_entry(
        self, index: int, leaf_hash: bytes, event_id: object, body: bytes, keys: set[tuple[int, bytes]]
    ) -> None:
        actual = merkle.leaf_hash(body)
        if actual != leaf_hash:
            self._report(index, "entry", f"Entry {index} was changed: its body does not match its leaf hash.")
        try:
            if leaf.read(body).event_id != event_id:
                self._report(index, "entry", f"Entry {index} was changed: its row names another event.")
            expected = leaf.keys(body)
        except EventError:
            self._report(index, "entry", f"Entry {index} was changed: it is not an event.")
            expected = frozenset()
        leaf_key = (KeyKind.LEAF.value, leaf.key(KeyKind.LEAF, actual.hex()))
        if leaf_key not in keys:
            self._report(
                index, "entry", f"Entry {index} or its search keys were changed: its leaf is not known."
            )
        elif keys != expected:
            self._report(index, "key", f"The search keys of entry {index} were changed.")
        self._grow(actual)

    def _grow(self, leaf_hash: bytes) -> None:
        self._range.push(leaf_hash)
        for tile in self._edge.append(leaf_hash):
            self._tiles[tile.level] = tile.n + 1
            self._check_tile(tile)
        self._check_heads()

    def _check_tile(self, tile: FullTile) -> None:
        name = f"tile {tile.level}/{tile.n}"
        self._cursor.execute(_TILES, [tile.level, tile.n])
        row = self._cursor.fetchone()
        if row is None:
            self._report(None, name, f"The {name} is missing.")
            return
        stored = split(bytes(row[3]))
        if tile.level == 0:
            for offset, (was, now) in enumerate(zip(stored, split(tile.hashes), strict=True)):
                if was != now:
                    index = tile.n * WIDTH + offset
                    self._report(index, name, f"Entry {index} or the {name} was changed: they differ.")
        if bytes(row[2]) != tile.root or (tile.level and b"".join(stored) != tile.hashes):
            self._report(None, name, f"The {name} does not match the entries under it.")

    def _check_heads(self) -> None:
        while self._heads and self._heads[0][0] <= self._edge.size:
            self._check_head(*self._heads.popleft())

    def _check_head(self, size: int, root: bytes, note: str) -> None:
        name = f"checkpoint {size}"
        try:
            head = open_checkpoint(note, self._key)
        except FormatError as error:
            self._report(None, name, f"The {name} was changed: {error}")
            return
        if (head.size, head.root) != (size, root):
            self._report(None, name, f"The {name} was changed: its row says other than its note.")
        if self._broken:
            return  # every later tree holds the same entries
        if head.root == self._range.root():
            self._agreed = size
        else:
            self._broken = size

    def _blame(self) -> None:
        """What was changed lies between the last tree head that held and the first that did not."""
        if not self._broken:
            return
        first, last = self._agreed, self._broken - 1
        named = any(p.index is not None and first <= p.index <= last for p in self._problems)
        span = f"entry {first}" if first == last else f"one of the entries {first} to {last}"
        message = f"The signed tree of {self._broken} entries is not theirs: {span} was changed."
        self._report(first if first == last and not named else None, f"checkpoint {self._broken}", message)

    def _check_left_over(self) -> None:
        for size, _, _ in self._heads:
            message = (
                f"A tree of {size} was signed, but the log holds {self._edge.size} entries: its end was cut."
            )
            self._report(self._edge.size, f"checkpoint {size}", message)
        self._cursor.execute("SELECT level, n FROM audit_tile ORDER BY level, n")
        for level, n in self._cursor.fetchall():
            if n >= self._tiles.get(level, 0):
                self._report(None, f"tile {level}/{n}", f"The tile {level}/{n} has no entries under it.")
        self._cursor.execute(
            "SELECT DISTINCT idx FROM audit_key WHERE idx >= %s OR idx < 0", [self._edge.size]
        )
        for (index,) in self._cursor.fetchall():
            self._report(index, "key", f"There are search keys of entry {index}, which is not there.")

    def _check_mark(self) -> None:
        if self._mark is None:
            return
        if self._mark.size > self._edge.size:
            message = f"A tree of {self._mark.size} was signed, but the log holds {self._edge.size} entries."
            self._report(self._edge.size, "signer", f"{message} Its end was cut.")
            return
        self._cursor.execute("SELECT root FROM audit_checkpoint WHERE size = %s", [self._mark.size])
        row = self._cursor.fetchone()
        if row is None:
            if store.signed_size(self._cursor) < self._mark.size:
                self._report(
                    None, "signer", f"The checkpoint {self._mark.size}, which was signed last, is missing."
                )
        elif bytes(row[0]) != self._mark.root:
            self._report(
                None, "signer", f"The checkpoint {self._mark.size} is not the one that the signer remembers."
            )

    def _check_refused(self) -> None:
        self._cursor.execute("SELECT event_id, reason FROM audit_refused ORDER BY seq")
        for event_id, reason in self._cursor.fetchall():
            self._report(None, "refused", f"The event {event_id} was refused: {reason}")
