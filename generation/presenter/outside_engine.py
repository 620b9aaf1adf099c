"""An outside lip-sync engine as a driving engine: a silent film goes out, a speaking one comes back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from generation.engine.media.chunks import whole
from generation.engine.media.colour import to_planes
from generation.engine.media.decode import read_frames
from generation.engine.types import Planes
from generation.presenter.bases import Base
from generation.presenter.driving import Performance
from generation.presenter.errors import DrivingMismatchError, DrivingUnavailableError
from generation.presenter.film import write_film
from generation.presenter.outside import Outside, Wanted, checked_video
from generation.presenter.scene import Layout, Plate, _subtitle
from generation.presenter.speech import Speech

VERSION = "outside/1"


class OutsideEngine:
    """Satisfies ``DrivingEngine`` for one speech; nothing is shown before the whole video is there and fits.

    ``work``: a folder for the films, which are gone afterwards. ``first``: frame of the whole speech at which
    the performance that is given begins. ``leaving``: called with the number of frames right before they are
    sent; when it raises, nothing is.
    """

    needs_gpu = False

    def __init__(
        self,
        outside: Outside,
        base: Base,
        speech: Speech,
        *,
        work: Path,
        leaving: Callable[[int], object],
        first: int = 0,
    ) -> None:
        self.name = f"{VERSION} at {outside.host}"
        self._leaving = leaving
        self._outside, self._base, self._speech = outside, base, speech
        self._work, self._first = work, first

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        """See ``DrivingEngine``.

        Raises:
            DrivingUnavailableError: nothing may be sent there, or it cannot do what is asked.
            DrivingFailedError: it refused, failed, or was too slow.
            DrivingMismatchError: its video has another length, size or rate.
            FilmError: the silent film cannot be written.
        """
        if layout.transparent:
            raise DrivingUnavailableError("An outside engine's video carries no transparency.")
        code = uuid.uuid4().hex
        template, made = self._work / f"{code}.mp4", self._work / f"{code}-r.mp4"
        try:
            size = layout.width_px, layout.height_px
            sound = self._sound(len(performance.shapes), fps)
            silent = replace(performance, cues=())
            shown = (each.planes() for each in self._base.shown(plate, layout, silent, fps=fps))
            rate = self._speech.sample_rate
            write_film(template, shown, size_px=size, fps=fps, pcm=np.zeros_like(sound), rate=rate)
            self._leaving(len(performance.shapes))
            self._outside.drive(template, sound, rate=rate, code=code, out=made)
            yield from _shown(made, Wanted(len(performance.shapes), size, fps), layout, performance)
        finally:
            template.unlink(missing_ok=True)
            made.unlink(missing_ok=True)

    def _sound(self, frames: int, fps: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        """The speech's sound under these frames."""
        samples = self._speech.sample_rate / fps
        first, last = round(self._first * samples), round((self._first + frames) * samples)
        if last > len(self._speech.pcm):
            there = round(self._speech.duration_s * fps)
            raise DrivingMismatchError(f"The speech has {there} frames, {self._first + frames} are wanted.")
        return np.asarray(self._speech.pcm[first:last])


def _shown(path: Path, wanted: Wanted, layout: Layout, performance: Performance) -> Iterator[Planes]:
    info = checked_video(path, wanted)
    cues = [(cue, _subtitle(cue, layout)) for cue in performance.cues]
    for frame in read_frames(path, info, whole(info)):
        planes = frame.planes or to_planes(frame.picture)
        for cue, drawn in cues:
            if cue.start_s <= frame.index / wanted.fps < cue.end_s:
                drawn.blend(planes)
        yield planes
