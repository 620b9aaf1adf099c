"""What a speaking person does besides moving the mouth: sway, nods, blinks, raised brows, glances.

Motion is a function of the time inside a sentence, seeded by the sentence itself, and fades to nought at
both its ends: so an edited sentence renders alone and still meets its neighbours without a jump.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from generation.presenter.gestures import gestured
from generation.presenter.speech import Speech

BLINK = (0.5, 1.0, 1.0, 0.7, 0.35, 0.1)
"""How far the lids are shut, frame by frame at 25 a second."""
BLINK_EVERY_S = (2.2, 4.8)
BLINK_OFF_ENDS_S = 0.24
FADE_S = 0.4
SETTLED_S = 0.28
"""At the end of a sentence nobody moves any more:
there the next one's frames begin (``package.LEAD_FRAMES``)."""
SWAY_DEG = ((0.55, 0.17), (0.30, 0.41))  # amplitude, Hz
SHIFT_PX, NOD_PX = (3.0, 2.0), 4.0  # of a picture 1080 lines tall
LINES = 1080
BROW_EVERY_S, BROW_LEAD_S, BROW_WIDTH_S = 1.3, 0.08, 0.16
BROW_LOUD = 0.55
"""Of the sentence's loudest moment: brows go with emphasis, not with every word."""
GLANCE_DEG, GLANCE_HOLD_S, GLANCE_SHARE = (0.7, 2.0), (0.5, 1.7), 0.55
"""How far the eyes wander, for how long, and how often they do; else they look at the viewer."""
GLANCE_OFF_ENDS_S = 0.32

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Motion:
    """By frame: ``roll_deg``; ``shift`` (n, 2) pixels of a 1080-line picture; ``blink``, ``brow`` 0 to 1.

    ``gaze``: (n, 2) degrees right and down, as it is seen.
    """

    roll_deg: Floats
    shift: Floats
    blink: Floats
    brow: Floats
    gaze: Floats

    def __len__(self) -> int:
        return len(self.blink)

    def part(self, frames: slice) -> Motion:
        """Some frames of it."""
        return Motion(*(getattr(self, each.name)[frames] for each in fields(self)))

    def at_rest(self) -> Motion:
        """As many frames in which nothing moves."""
        return Motion(*(np.zeros_like(getattr(self, each.name)) for each in fields(self)))


def seed_of(text: str) -> int:
    """A sentence's own seed."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def motion(speech: Speech, *, seed: int, fps: float, frames: int) -> Motion:
    """The motion of one sentence."""
    chance = np.random.Generator(np.random.PCG64(seed))
    time = np.arange(frames) / fps
    length = frames / fps
    fade = np.clip(np.minimum(time, length - SETTLED_S - time) / FADE_S, 0, 1)
    fade = fade * fade * (3 - 2 * fade)
    phase = chance.uniform(0, 2 * np.pi, 4)
    roll = sum(
        size * np.sin(2 * np.pi * hertz * time + phase[at]) for at, (size, hertz) in enumerate(SWAY_DEG)
    )
    sideways = SHIFT_PX[0] * np.sin(2 * np.pi * 0.13 * time + phase[2])
    upwards = SHIFT_PX[1] * np.sin(2 * np.pi * 0.23 * time + phase[3])
    loud = loudness(speech, fps=fps, frames=frames)
    asked = gestured(speech.marks, fps=fps, frames=frames)
    nod = NOD_PX * loud + asked.down_px
    shift = np.stack([sideways * fade, upwards * fade + nod * fade], axis=1)
    blinks = _blinks(chance, frames=frames, fps=fps)
    brows = np.maximum(_brows(speech, loud, fps=fps), asked.brow)
    gaze = _gaze(chance, frames=frames, fps=fps)
    return Motion(np.asarray((roll + asked.roll_deg) * fade), shift, blinks, brows * fade, gaze)


def loudness(speech: Speech, *, fps: float, frames: int) -> Floats:
    """(frames,) 0 to 1: the sound's envelope, smoothed over a third of a second."""
    hop = speech.sample_rate / fps
    level = np.array([_rms(speech.pcm[int(at * hop) : int((at + 1) * hop)]) for at in range(frames)])
    kernel = np.hanning(9)
    smooth = np.convolve(np.pad(level, 4, "edge"), kernel / kernel.sum(), "valid")
    return np.asarray(smooth / max(float(smooth.max(initial=0.0)), 1e-6))


def _rms(part: npt.NDArray[np.int16]) -> float:
    return float(np.sqrt(np.mean(np.square(part.astype(np.float64))))) if len(part) else 0.0


def _blinks(chance: np.random.Generator, *, frames: int, fps: float) -> Floats:
    out = np.zeros(frames)
    shape = np.interp(np.arange(0, len(BLINK) - 1, 25 / fps), np.arange(len(BLINK)), BLINK)
    at_s = float(chance.uniform(0.5, 1.4))
    while at_s * fps + len(shape) < frames - BLINK_OFF_ENDS_S * fps:
        first = int(at_s * fps)
        out[first : first + len(shape)] = shape
        at_s += float(chance.uniform(*BLINK_EVERY_S))
    return out


def _gaze(chance: np.random.Generator, *, frames: int, fps: float) -> Floats:
    """(frames, 2): the eyes jump, as eyes do, and stay for a while; they begin and end on the viewer."""
    out = np.zeros((frames, 2))
    at_s, end = GLANCE_OFF_ENDS_S, frames - round(GLANCE_OFF_ENDS_S * fps)
    while at_s * fps < end:
        hold_s, size = float(chance.uniform(*GLANCE_HOLD_S)), float(chance.uniform(*GLANCE_DEG))
        turn, wanders = float(chance.uniform(0, 2 * np.pi)), chance.random() < GLANCE_SHARE
        if wanders:  # less up and down than to the sides
            out[round(at_s * fps) : end] = size * np.cos(turn), 0.5 * size * np.sin(turn)
        else:
            out[round(at_s * fps) : end] = 0
        at_s += hold_s
    return out


def _brows(speech: Speech, loud: Floats, *, fps: float) -> Floats:
    """Raised on the loudest stressed sounds, never twice within ``BROW_EVERY_S``."""
    frames = len(loud)
    middles = [(each.start_s + each.end_s) / 2 for each in speech.phones if each.ipa and each.stress == 2]
    by_loudness = sorted(middles, key=lambda at: -loud[min(int(at * fps), frames - 1)])
    chosen: list[float] = []
    for at in by_loudness:
        loud_enough = loud[min(int(at * fps), frames - 1)] >= BROW_LOUD
        if loud_enough and all(abs(at - other) >= BROW_EVERY_S for other in chosen):
            chosen.append(at)
    time = np.arange(frames) / fps + BROW_LEAD_S
    rises = [np.exp(-0.5 * ((time - at) / BROW_WIDTH_S) ** 2) for at in chosen]
    return np.asarray(np.max(rises, axis=0) if rises else np.zeros(frames))


def joined(parts: Sequence[Motion]) -> Motion:
    """One motion from the sentences', in order."""
    return Motion(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Motion)))
