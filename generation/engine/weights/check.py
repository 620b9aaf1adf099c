"""Whether the files are there and have the pinned bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from generation.engine.errors import WeightsAlteredError, WeightsMissingError
from generation.engine.weights.registry import Entry


class State(StrEnum):
    """How one file stands."""

    PRESENT = "present"
    MISSING = "missing"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True)
class Checked:
    """One entry and the state of its file."""

    entry: Entry
    state: State


_Seen = tuple[str, int, int]
_verified: dict[_Seen, str] = {}
_lock = threading.Lock()


def check(weights_dir: Path, *, entries: Iterable[Entry]) -> tuple[Checked, ...]:
    """The state of every file; each one is read whole, whatever was seen before."""
    return tuple(Checked(entry, _state(weights_dir / entry.file, entry)) for entry in entries)


def verified_path(entry: Entry, *, weights_dir: Path) -> Path:
    """The path of a file whose hash was checked in this process and which did not change since.

    Raises:
        WeightsMissingError: it is not there.
        WeightsAlteredError: it does not have the pinned bytes. It is left as it is.
    """
    path = (weights_dir / entry.file).absolute()
    try:
        seen = _stamp(path)
        with _lock:
            if _verified.get(seen) == entry.sha256:
                return path
        state = _state(path, entry)
    except FileNotFoundError:
        state = State.MISSING
    if state is State.MISSING:
        raise WeightsMissingError(f"Model {entry.id}: {entry.file} is not in {weights_dir}.")
    if state is State.ALTERED:
        raise WeightsAlteredError(f"Model {entry.id}: {path} does not have the pinned size and sha256.")
    with _lock:
        _verified[seen] = entry.sha256
    return path


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamp(path: Path) -> _Seen:
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns


def _state(path: Path, entry: Entry) -> State:
    if not path.is_file():
        return State.MISSING
    matches = path.stat().st_size == entry.bytes and file_sha256(path) == entry.sha256
    return State.PRESENT if matches else State.ALTERED
