"""Which engine drives, and when the embedded one takes its place.

An engine that is missing, dead, or gives what was not asked for is replaced before its first frame; one whose
finished file fails the sync measure is replaced by rendering again. Either leaves a warning for the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Protocol

from generation.engine.errors import FaceError, MediaError, WeightsError
from generation.engine.types import Planes
from generation.presenter.driving import DrivingEngine, Performance
from generation.presenter.errors import DrivingError, DrivingUnavailableError, SyncUnmeasuredError
from generation.presenter.scene import Layout, Plate


class Kind(StrEnum):
    """The engines that can drive."""

    PUPPET = "puppet"
    IDLE = "idle"
    NEURAL = "neural"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Fallback:
    """Why the embedded engine drove instead; ``code`` is stable."""

    engine: str
    code: str
    message: str

    def as_record(self) -> dict[str, str]:
        """JSON-ready."""
        return asdict(self)


Maker = Callable[[], DrivingEngine]
_REPLACED = (DrivingError, WeightsError, FaceError, MediaError)
"""What an engine may fail with and be replaced; that nothing fits the layout is no fault of its."""


class Chosen:
    """Satisfies ``DrivingEngine``; ``warnings``: known once the first frame is there."""

    def __init__(self, kind: Kind, maker: Maker, puppet: Maker) -> None:
        self.kind = kind
        self.warnings: tuple[Fallback, ...] = ()
        self._puppet = puppet
        self._engine = self._made(maker)
        self.name = self._engine.name
        self.needs_gpu = self._engine.needs_gpu

    def _made(self, maker: Maker) -> DrivingEngine:
        try:
            return maker()
        except _REPLACED as error:
            return self._replaced(self.kind.value, error)

    def _replaced(self, name: str, error: Exception) -> DrivingEngine:
        if self.kind is Kind.PUPPET:
            raise error
        code = str(getattr(error, "code", "driving_engine_failed"))
        self.warnings = (*self.warnings, Fallback(name, code, str(error)))
        engine = self._puppet()
        self.name, self.needs_gpu = engine.name, engine.needs_gpu
        return engine

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        """See ``DrivingEngine``; an engine that fails after its first frame fails the job."""
        frames = self._engine.frames(plate, layout, performance, fps=fps)
        try:
            first = next(frames, None)
        except _REPLACED as error:
            self._engine = self._replaced(self._engine.name, error)
            frames = self._engine.frames(plate, layout, performance, fps=fps)
            first = next(frames, None)
        if first is not None:
            yield first
        yield from frames


def engine_for(kind: str, makers: Mapping[Kind, Maker]) -> Chosen:
    """The engine of that kind, or the puppet with a warning; ``makers`` needs one for the puppet.

    Raises:
        DrivingUnavailableError: there is no such kind.
    """
    try:
        known = Kind(kind)
    except ValueError:
        raise DrivingUnavailableError(f"There is no driving engine {kind!r}.") from None

    def missing() -> DrivingEngine:
        raise DrivingUnavailableError(f"The driving engine {kind} is not configured.")

    return Chosen(known, makers.get(known, missing), makers[Kind.PUPPET])


class Measured(Protocol):
    """A sync report, or an error that tells of one."""

    @property
    def failed(self) -> Sequence[str]:
        """What does not hold; nothing where mouth and sound agree."""


def after_sync(found: Measured | SyncUnmeasuredError, *, kind: str) -> Fallback | None:
    """Whether a finished file must be rendered again with the puppet, and why; None: it stands, or fails.

    The puppet is never replaced: its file out of bounds fails the job.
    """
    if kind == Kind.PUPPET:
        return None
    if isinstance(found, SyncUnmeasuredError):
        return Fallback(kind, found.code, str(found))
    if not found.failed:
        return None
    return Fallback(kind, "sync_out_of_bounds", f"Mouth and sound do not agree: {', '.join(found.failed)}.")
