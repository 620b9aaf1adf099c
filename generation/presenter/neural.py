"""Neural lip-sync as a driving engine: a network says what the mouth looks like, the rest stays the person's.

A pause of more than 200 ms shows the idle mouth: networks let lips quiver in silence. Whether mouth and sound
agree is measured on the finished file, as for every engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from generation.engine.faces.pose import Matrix
from generation.engine.types import Image, Planes, Points
from generation.presenter.bases import Base
from generation.presenter.driving import Performance
from generation.presenter.errors import DrivingMismatchError
from generation.presenter.lipnet import LipNet
from generation.presenter.mel import mel, silent, windows
from generation.presenter.mouthpaste import Tint, aligned_crop, box_crop, crop, paste, tint_of
from generation.presenter.scene import Layout, Plate
from generation.presenter.speech import Phone, Speech

VERSION = "neural/1"
PAUSE_S, FADE_S = 0.2, 0.08

Weights = npt.NDArray[np.float64]


class NeuralEngine:
    """Satisfies ``DrivingEngine`` for one speech.

    ``first``: frame of the whole speech at which the performance that is given begins. ``tint``: what
    ``tint_for`` gave; else it is seen on the base's reference, so that all parts have the same colours.
    """

    needs_gpu = False

    def __init__(
        self, net: LipNet, base: Base, speech: Speech, *, tint: Tint | None = None, first: int = 0
    ) -> None:
        self.name = f"{VERSION} {net.name}"
        self._net, self._base, self._speech = net, base, speech
        self._tint, self._first = tint, first

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        """See ``DrivingEngine``.

        Raises:
            DrivingMismatchError: the performance is longer than the speech.
            ModelOutputError: the network gave no picture.
        """
        count = round(self._speech.duration_s * fps)
        part = slice(self._first, self._first + len(performance.shapes))
        if part.stop > count:
            raise DrivingMismatchError(f"The speech has {count} frames, {part.stop} are wanted.")
        heard = windows(mel(self._speech.pcm, rate=self._speech.sample_rate), frames=count, fps=fps)[part]
        shares = spoken_share(self._speech.phones, frames=count, fps=fps)[part]
        tint = self._tint or tint_for(self._net, *self._base.reference(plate))
        for at, shown in enumerate(self._base.shown(plate, layout, performance, fps=fps)):
            if shares[at] > 0:
                into = _into(self._net, shown.mesh)
                made = self._net.speak(crop(shown.picture, into, self._net.contract.side), heard[at])
                paste(shown.picture, made, into, shown.mesh, tint=tint, weight=float(shares[at]))
            yield shown.planes()


def tint_for(net: LipNet, picture: Image, mesh: Points) -> Tint:
    """How a network's colours differ from the person's, seen on a picture with closed lips.

    Raises:
        ModelOutputError: the network gave no picture.
    """
    into = _into(net, mesh)
    return tint_of(picture, net.speak(crop(picture, into, net.contract.side), silent()), into, mesh)


def _into(net: LipNet, mesh: Points) -> Matrix:
    return (aligned_crop if net.contract.aligned else box_crop)(mesh, net.contract.side)


def spoken_share(phones: Sequence[Phone], *, frames: int, fps: float) -> Weights:
    """(frames,) 1 where something is said, 0 inside pauses of more than 200 ms, eased between."""
    times = (np.arange(frames) + 0.5) / fps
    share = np.ones(frames)
    for start, end in _pauses(phones):
        # nothing is said before the first sound or after the last: no easing there
        since = times - start if start > 0 else np.full(frames, np.inf)
        until = end - times if end < phones[-1].end_s else np.full(frames, np.inf)
        inside = (times >= start) & (times < end)
        deep = np.clip(np.minimum(since, until) / FADE_S, 0, 1)
        share = np.where(inside, np.minimum(share, 1 - deep * deep * (3 - 2 * deep)), share)
    return share


def _pauses(phones: Sequence[Phone]) -> Iterator[tuple[float, float]]:
    start: float | None = None
    for phone in phones:
        if not phone.ipa:
            start = phone.start_s if start is None else start
            continue
        if start is not None and phone.start_s - start > PAUSE_S:
            yield start, phone.start_s
        start = None
    if start is not None and phones[-1].end_s - start > PAUSE_S:
        yield start, phones[-1].end_s
