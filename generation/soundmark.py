"""The sound mark of one output: put in while the file is joined, read back from the sealed file.

Sound that cannot carry the mark is left as it is, with the reason in the job's report. Sound that can, and
does not give it back, is not delivered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from generation.engine.media.sound import Pcm
from watermark.errors import SoundLostError, UnsupportedSoundError
from watermark.payload import MarkKeys
from watermark.readback import check_sound
from watermark.sound import ALGORITHM, READABLE, SoundCarrier, SoundGauge, SoundMarker, SoundPlan

MARKED, SKIPPED = "marked", "skipped"
NO_SOUND, WEAK = "no sound", "too little sound between 0.4 and 4 kHz"


@dataclass(frozen=True, slots=True)
class SoundOutcome:
    """What became of the sound mark; ``reason`` says why it was skipped."""

    state: str
    reason: str = ""
    algorithm: str = ""
    z: float = 0.0

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return asdict(self)


class SoundFinisher:
    """The engine's filter for the sound of one output; it hears all of it, then marks it at one strength."""

    def __init__(self, keys: MarkKeys, mark_id: int) -> None:
        self._carrier, self._mark_id = SoundCarrier(keys), mark_id
        self._plan = SoundPlan(0.0, False, NO_SOUND, 0.0)
        self._shape = (0, 0)
        self._marker: SoundMarker | None = None

    def measure(self, blocks: Iterator[Pcm], *, rate_hz: int, channels: int) -> bool:
        """Hear the whole sound and plan; False when it stays as it is."""
        try:
            gauge = SoundGauge(rate_hz=rate_hz, channels=channels)
            for block in blocks:
                gauge.feed(block)
            self._plan = gauge.plan()
        except UnsupportedSoundError as error:
            self._plan = SoundPlan(0.0, False, str(error), 0.0)
        self._shape = (rate_hz, channels)
        return self._plan.carries

    def apply(self, blocks: Iterator[Pcm]) -> Iterator[Pcm]:
        """The marked sound, as many samples as came in."""
        rate_hz, channels = self._shape
        marker = SoundMarker(
            self._carrier, self._mark_id, rate_hz=rate_hz, channels=channels, strength=self._plan.strength
        )
        self._marker = marker
        for block in blocks:
            yield marker.feed(block)
        yield marker.flush()

    def read_back(self, path: Path) -> SoundOutcome:
        """Look for the mark in the finished file.

        Raises:
            SoundLostError: the sound could carry the mark, but the file does not give it.
            UnreadableError: the file cannot be decoded.
        """
        if self._marker is None:
            return SoundOutcome(SKIPPED, self._plan.reason)
        try:
            found = check_sound(path, keys=self._carrier.keys, mark_id=self._mark_id)
        except SoundLostError:
            if self._marker.evidence >= READABLE:
                raise
            return SoundOutcome(SKIPPED, WEAK)
        return SoundOutcome(MARKED, "", ALGORITHM, found.z)
