"""The log as files: a static tlog-tiles log with every proof, or an evidence bundle of some entries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django.db import connection

from audit import merkle, selectors, store, tiles
from audit.bundle import Evidence, Proven, stem, write_bundle
from audit.checkpoint import Checkpoint, encode, open_checkpoint
from audit.errors import ProofError
from audit.selectors import CheckpointView
from audit.signer import KEY_FILE
from audit.tiles import TileTree


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote."""

    directory: Path
    size: int
    files: int


def export(directory: Path) -> Exported:
    """Write the signed log: checkpoint, tile/, log.vkey, and entries/ and proofs/ by index.

    The directory is a complete tlog-tiles log that any web server can offer. The checkpoint comes last: who
    reads while it is being written finds every tile that it names.

    Raises:
        NoCheckpointError: nothing was signed yet.
        LogKeyMissingError: no sequencer ever started here.
    """
    head, key = selectors.checkpoint(), selectors.log_key()
    count = 0
    for path in tiles.paths(head.size):
        name = str(path)
        data = selectors.tile(name.removeprefix("tile/"), size=head.size)
        _write(directory / name, data)
        count += 1
        if path.level is None:
            for index, body in enumerate(tiles.unbundle(data), start=path.first):
                _write(directory / "entries" / f"{stem(index)}.json", body)
                count += 1
    for index, proof in selectors.proofs(range(head.size), head):
        _write(directory / "proofs" / f"{stem(index)}.tlog-proof", proof.encode())
        count += 1
    _write(directory / KEY_FILE, f"{key}\n".encode())
    _write(directory / "checkpoint", head.note.encode())
    return Exported(directory, head.size, count + 2)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def bundle(
    out: Path, *, indexes: Iterable[int], extra: Mapping[str, bytes] | None = None, pinned: str = ""
) -> None:
    """Write an evidence bundle of some entries, all proven against one signed head.

    `pinned` is a checkpoint that the receiver kept: the bundle then proves that the log extends it.

    Raises:
        EntryNotFoundError: an index is not in the signed tree.
        NoCheckpointError: nothing was signed yet.
        LogKeyMissingError: no sequencer ever started here.
        NoteError, CheckpointError: the pinned checkpoint is malformed or was not signed by this log.
        ProofError: the log does not extend it.
    """
    wanted = sorted(set(indexes))
    head = head_of(wanted, pinned=pinned)
    write_bundle(out, replace(evidence(wanted, head=head, pinned=pinned), extra=extra or {}))


def head_of(indexes: Sequence[int], *, pinned: str = "") -> CheckpointView:
    """The head to prove entries against: the newest that witnesses cosigned, if it holds them all.

    Raises:
        NoCheckpointError, NoteError, CheckpointError: as `bundle`.
    """
    kept = open_checkpoint(pinned, selectors.log_key()).size if pinned else 0
    return selectors.witnessed(max([*indexes, kept - 1, 0]))


def evidence(indexes: Iterable[int], *, head: CheckpointView, pinned: str = "") -> Evidence:
    """What goes into a bundle of some entries, all proven against one head; raises as `bundle`."""
    wanted = sorted(set(indexes))
    proven = [
        Proven(index, selectors.entry(index).body, proof) for index, proof in selectors.proofs(wanted, head)
    ]
    kept = open_checkpoint(pinned, selectors.log_key()) if pinned else None
    key = selectors.log_key()
    consistency = _consistency(kept, head) if kept is not None else ""
    tokens = _tokens(wanted, head)
    return Evidence(proven, head.note, key.name, str(key), consistency, tokens=tokens)


def _tokens(indexes: Sequence[int], head: CheckpointView) -> dict[str, bytes]:
    """The timestamps of the first stamped head that holds each entry, with what ties it to this head."""
    files = {}
    for size in {selectors.stamped(index, within=head.size) for index in indexes} - {0}:
        for number, found in enumerate(selectors.timestamps(size), start=1):
            files[f"{size}.tsr" if number == 1 else f"{size}-{number}.tsr"] = found.token
            files[f"{size}.checkpoint"] = found.note.encode()
        if size < head.size:
            kept = open_checkpoint(files[f"{size}.checkpoint"].decode(), selectors.log_key())
            files[f"{size}.consistency.txt"] = _consistency(kept, head).encode()
    return files


def _consistency(kept: Checkpoint, head: CheckpointView) -> str:
    """The proof that the signed tree extends a kept one, as a witness would be sent it (add-checkpoint)."""
    if kept.size > head.size:
        raise ProofError(f"The log has {head.size} signed entries; the pinned checkpoint is of {kept.size}.")
    with connection.cursor() as cursor:
        hashes = TileTree(head.size, store.reader(cursor)).consistency(kept.size)
    merkle.verify_consistency(kept.size, head.size, kept.root, bytes.fromhex(head.root), hashes)
    return f"old {kept.size}\n" + "".join(f"{encode(item)}\n" for item in hashes) + f"\n{head.note}"
