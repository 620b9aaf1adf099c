"""What a file says about where it comes from: every mark on it, each reported, whatever the others say.

Cheap first: content credential, AIGC label, then the invisible mark and the mark in the sound, each search
within a budget of time, then marks of other people's tools. That no mark is found never means that a file was
not generated. The detector holds keys and is an oracle: its callers limit the rate, and give outsiders
neither z nor geometry.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from watermark import c2pa, frames, metadata
from watermark.c2pa import C2paRead, C2paState
from watermark.errors import UnreadableError, UnsupportedFrameError
from watermark.evidence import Evidence
from watermark.invisible import Carrier
from watermark.legacy import LegacyRead, LegacyState, read_legacy
from watermark.metadata import AigcRead
from watermark.payload import MarkKeys
from watermark.search import Finding, Geometry, Tally, at_identity, everywhere, groups_of
from watermark.sound_search import SoundRead, read_sound
from watermark.state import MarkState as MarkState

ATTEMPTS = frozenset({1, 4, 12, 24, 48, 96})
"""Numbers of frames after which a decode is tried."""
NO_PICTURE = "no picture"
"""How the reason begins when there is no picture to search."""

_Read = TypeVar("_Read")
_Search = Callable[[list[list[Carrier]], Evidence, Tally, Finding], Finding]


@dataclass(frozen=True, slots=True)
class MarkRead:
    """What the search for the invisible mark found, with the bound of its error."""

    state: MarkState
    mark_id: int | None = None
    key_id: str = ""
    tenant: str = ""
    z: float = 0.0
    decodes: int = 0
    false_positive_bound: float = 0.0
    geometry: Geometry | None = None
    inverted: bool = False
    """The mark was subtracted more than once: proof of tampering."""
    frames: int = 0
    seconds: float = 0.0
    complete: bool = True
    """False when the budget was spent before all was tried; the state is then never ``absent``."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Detection:
    """Every layer of one file, and the seconds that each took, by name."""

    c2pa: C2paRead
    label: AigcRead
    mark: MarkRead
    sound: SoundRead
    legacy: LegacyRead
    seconds: Mapping[str, float]

    @property
    def conflict(self) -> bool:
        """Whether a trusted credential and the hidden marks name different outputs."""
        trusted = self.c2pa.mark_id if self.c2pa.state is C2paState.TRUSTED else None
        return len({trusted, self.mark.mark_id, self.sound.mark_id} - {None}) > 1

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready record; ids as 16 hexadecimal characters."""
        record = asdict(self)
        for layer in ("c2pa", "mark", "sound"):
            mark_id = record[layer]["mark_id"]
            record[layer]["mark_id"] = None if mark_id is None else f"{mark_id:016x}"
        return record


def detect(
    path: Path,
    *,
    carriers: Sequence[Carrier],
    anchors_pem: str,
    budget_s: float = 15.0,
    frame_limit: int = 96,
    max_decodes: int = 1000,
) -> Detection:
    """Read every layer of a picture, a clip or a recording, the cheap ones first.

    ``carriers``: of all active master secrets and tenants, newest first. ``budget_s`` bounds each search.

    Raises:
        UnreadableError: the file is missing, or neither a picture nor sound can be decoded from it.
        DecodeLimitError: so many carriers that the promised bound could not be kept.
    """
    if not path.is_file():
        raise UnreadableError(f"{path.name} is not a file.")
    watch = _Watch()
    credential = watch.timed("c2pa", lambda: c2pa.read(path, anchors_pem))
    label = watch.timed("aigc", lambda: metadata.read_label(path))
    tally = Tally(budget_s=budget_s, max_decodes=max_decodes)
    mark = watch.timed("invisible", lambda: _picture(path, carriers, tally, frame_limit))
    keys = [carrier.keys for carrier in carriers]
    sound = watch.timed("sound", lambda: _sound(path, keys, budget_s, max_decodes))
    if mark.reason.startswith(NO_PICTURE) and not sound.heard_s:
        raise UnreadableError(mark.reason.removeprefix(f"{NO_PICTURE}: "))
    legacy = watch.timed("legacy", lambda: _legacy(path))
    return Detection(credential, label, mark, sound, legacy, watch.seconds)


class _Watch:
    """Seconds by name of a layer."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, read: Callable[[], _Read]) -> _Read:
        start = time.monotonic()
        found = read()
        self.seconds[name] = round(time.monotonic() - start, 3)
        return found


def _picture(path: Path, carriers: Sequence[Carrier], tally: Tally, frame_limit: int) -> MarkRead:
    """The invisible mark; a recording of sound alone has no place for it."""
    try:
        return read_mark(path, carriers=carriers, tally=tally, frame_limit=frame_limit)
    except UnreadableError as error:
        return MarkRead(MarkState.NOT_RUN, reason=f"{NO_PICTURE}: {error}")


def _sound(path: Path, keys: Sequence[MarkKeys], budget_s: float, max_decodes: int) -> SoundRead:
    """The mark in the sound; a picture has no place for it."""
    try:
        return read_sound(path, keys=keys, budget_s=budget_s, max_decodes=max_decodes)
    except UnreadableError:
        return SoundRead(MarkState.NOT_RUN, reason="no sound")


def _legacy(path: Path) -> LegacyRead:
    """Marks of another package, on the first picture: video coding destroys them anyway."""
    try:
        return read_legacy(frames.first_picture(path))
    except (UnreadableError, UnsupportedFrameError) as error:
        return LegacyRead(LegacyState.NOT_RUN, reason=str(error))


def read_mark(path: Path, *, carriers: Sequence[Carrier], tally: Tally, frame_limit: int = 96) -> MarkRead:
    """Search a file for the invisible mark: as it is after more and more frames, then in every geometry.

    Raises:
        UnreadableError: no picture can be decoded.
    """
    return _read(path, carriers, tally, frame_limit, _anywhere)


def read_upright_mark(
    path: Path, *, carriers: Sequence[Carrier], tally: Tally, frame_limit: int = 96
) -> MarkRead:
    """Read the mark of a file that nobody has cut, scaled or turned by an angle; no search, so no wait.

    Raises:
        UnreadableError: no picture can be decoded.
    """
    return _read(path, carriers, tally, frame_limit, lambda _groups, _evidence, _tally, found: found)


def _read(
    path: Path, carriers: Sequence[Carrier], tally: Tally, frame_limit: int, otherwise: _Search
) -> MarkRead:
    start = time.monotonic()
    if not carriers or tally.out_of_time():
        frames.probe(path)
        return MarkRead(MarkState.NOT_RUN, complete=False, reason="no keys or no time were given")
    groups, evidence = groups_of(carriers), Evidence()
    try:
        found = _upright(path, groups, evidence, tally, frame_limit)
        if found.mark_id is None:
            found = otherwise(groups, evidence, tally, found)
    except UnsupportedFrameError as error:
        return MarkRead(MarkState.NOT_RUN, complete=False, reason=str(error))
    return _report(found, tally, len(evidence.frames), time.monotonic() - start)


def _upright(
    path: Path, groups: list[list[Carrier]], evidence: Evidence, tally: Tally, frame_limit: int
) -> Finding:
    """Add frame after frame and try where it costs little: the sum is decoded, not the frames."""
    found = Finding()
    for luma, key, second in frames.spread(path, frame_limit):
        evidence.add(luma, key=key, time_s=second)
        if len(evidence.frames) in ATTEMPTS:
            found = _better(found, at_identity(groups, evidence, tally, (0,)))
        if found.mark_id is not None or tally.out_of_time():
            return found
    return _better(found, at_identity(groups, evidence, tally, range(4)))


def _anywhere(groups: list[list[Carrier]], evidence: Evidence, tally: Tally, found: Finding) -> Finding:
    """The whole search."""
    return _better(found, everywhere(groups, evidence, tally))


def _better(one: Finding, other: Finding) -> Finding:
    if other.mark_id is not None:
        return other
    best = max(one, other, key=lambda finding: abs(finding.z))
    return replace(best, suspected=one.suspected or other.suspected)


def _report(found: Finding, tally: Tally, count: int, seconds: float) -> MarkRead:
    accepted = found.mark_id is not None
    complete = accepted or not tally.spent
    if accepted:
        state = MarkState.PRESENT
    elif found.suspected:
        state = MarkState.SUSPECTED
    else:
        state = MarkState.ABSENT if complete else MarkState.NOT_RUN
    keys = found.carrier.keys if found.carrier else None
    return MarkRead(
        state,
        found.mark_id,
        keys.key_id if keys else "",
        keys.tenant if keys else "",
        round(found.z, 2),
        tally.decodes,
        tally.false_positive_bound,
        found.geometry if accepted else None,
        found.inverted,
        count,
        round(seconds, 3),
        complete,
        "" if complete else "the time was spent before all was tried",
    )
