"""The log as files: a static tlog-tiles log with every proof, or an evidence bundle of some entries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from audit import selectors, tiles
from audit.bundle import Evidence, Proven, stem, write_bundle
from audit.signer import KEY_FILE


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


def bundle(out: Path, *, indexes: Iterable[int], extra: Mapping[str, bytes] | None = None) -> None:
    """Write an evidence bundle of some entries, all proven against the newest signed head.

    Raises:
        EntryNotFoundError: an index is not in the signed tree.
        NoCheckpointError: nothing was signed yet.
        LogKeyMissingError: no sequencer ever started here.
    """
    head, key = selectors.checkpoint(), selectors.log_key()
    proven = [
        Proven(index, selectors.entry(index).body, proof)
        for index, proof in selectors.proofs(sorted(set(indexes)), head)
    ]
    write_bundle(out, Evidence(proven, head.note, key.name, str(key), extra or {}))
