"""How loud a change of a sound may be, cell by cell of its short-time spectrum, to stay hidden under it.

The limit follows the spreading of masking over the Bark scale (Schroeder, Atal and Hall, JASA 66, 1979) with
one offset for all bands. Frames are 32 ms long at every sampling rate, a quarter apart; magnitudes are those
of a window of sum one, so that they mean the same at every rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.ndimage import uniform_filter1d

from watermark.errors import UnsupportedSoundError

LOW_HZ, HIGH_HZ = 400.0, 4000.0
"""The band of the mark: what a telephone and every speech codec keep."""
QUARTER_S = 0.008
OVERLAP = 4
OFFSET_DB = (
    14.0  # a change this far under the spread level of its band is at the limit: between tone and noise
)
MARGIN_DB = 4.0  # and the mark stays this much below the limit
COMPRESSION = 0.25  # below the limit the mark follows the fourth root of the level: see ARCHITECTURE
BAND_BARK = 0.9
BOX_BINS, BOX_FRAMES = 9, 3
BLOCK_FRAMES = 64  # half a second: less is kept until more has come
RATE_MIN_HZ, RATE_MAX_HZ = 8_000, 192_000
CHANNELS_MAX = 8
OVERLAP_GAIN = 1.5
"""Sum over four overlapping frames of the squared window."""
BEFORE, AFTER = 3, 1
RISE_DB = 3.0
"""A frame's limit is at most so far above the least of these around it: noise before a beat is heard best."""
CONTEXT = max(BOX_FRAMES // 2, BEFORE, AFTER)
"""Frames on either side that the shape of a frame depends on."""

Sound = npt.NDArray[np.float32]
"""(channels, n) or (n,) float32, full scale 1."""
Cells = npt.NDArray[np.complex64]
"""(channels, frames, bins) complex64."""
Levels = npt.NDArray[np.float32]
"""(channels, frames, bins) float32, magnitudes."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides the amplitude of the mark in each cell of its band: min(strength * follow, limit)."""

    follow: Levels
    limit: Levels
    level: Levels
    """The smoothed level itself."""

    def amplitude(self, strength: float) -> Levels:
        """The amplitude of the mark."""
        return np.asarray(np.minimum(strength * self.follow, self.limit), np.float32)


class Frames:
    """Short-time spectra of one sampling rate, forth and back, and the masking in them."""

    def __init__(self, rate_hz: int) -> None:
        self.hop = max(1, round(rate_hz * QUARTER_S))
        self.length = OVERLAP * self.hop
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.length) / self.length)
        self.window = window.astype(np.float32)
        self.weight = float(window.sum())
        self.power = float(np.square(window).sum())
        hz = np.arange(self.length // 2 + 1) * rate_hz / self.length
        top = min(len(hz), int(np.searchsorted(hz, HIGH_HZ * 1.15)))
        self.low, self.high = int(np.searchsorted(hz, LOW_HZ)), min(top, int(np.searchsorted(hz, HIGH_HZ)))
        self.used = top
        self._bands(hz[:top])

    def _bands(self, hz: npt.NDArray[np.float64]) -> None:
        bark = 13 * np.arctan(0.00076 * hz) + 3.5 * np.arctan((hz / 7500) ** 2)
        band = (bark / BAND_BARK).astype(int)
        member = (band[None, :] == np.arange(band.max() + 1)[:, None]).astype(np.float32)
        apart = (np.arange(len(member))[:, None] - np.arange(len(member))) * BAND_BARK + 0.474
        spread_db = 15.81 + 7.5 * apart - 17.5 * np.sqrt(1 + apart**2) - OFFSET_DB - MARGIN_DB
        self._spread = (10 ** (spread_db / 10) / member.sum(1)[:, None]).T.astype(np.float32)
        """(bands, bands): from the power of each to the limit, squared, of a cell in each."""
        self._starts = np.searchsorted(band, np.arange(band.max() + 1))
        self._band_of = band[self.low : self.high]

    def spectra(self, sound: Sound) -> Cells:
        """(channels, frames, used) of all whole frames of (channels, n)."""
        views = np.lib.stride_tricks.sliding_window_view(sound, self.length, axis=-1)[..., :: self.hop, :]
        return np.asarray(scipy.fft.rfft(views * (self.window / self.weight))[..., : self.used], np.complex64)

    def sound(self, cells: Cells) -> Sound:
        """(channels, (frames + 3) * hop) of cells in the band: the frames windowed again and added up."""
        whole = np.zeros((*cells.shape[:-1], self.length // 2 + 1), np.complex64)
        whole[..., self.low : self.high] = cells
        parts = scipy.fft.irfft(whole, self.length).astype(np.float32) * (
            self.window * self.weight / OVERLAP_GAIN
        )
        frames = parts.shape[-2]
        out = np.zeros((*parts.shape[:-2], frames + OVERLAP - 1, self.hop), np.float32)
        quarters = parts.reshape(*parts.shape[:-1], OVERLAP, self.hop)
        for at in range(OVERLAP):
            out[..., at : at + frames, :] += quarters[..., at, :]
        return out.reshape(*out.shape[:-2], -1)

    def shape(self, cells: Cells) -> Shape:
        """The masking of all frames but ``CONTEXT`` on either side, which it looks at."""
        power = np.square(cells.real) + np.square(cells.imag)
        level = uniform_filter1d(np.sqrt(power), BOX_BINS, axis=-1, mode="nearest")
        level = uniform_filter1d(level, BOX_FRAMES, axis=-2, mode="nearest")
        level = level[..., CONTEXT:-CONTEXT, self.low : self.high]
        level = np.maximum(level, 0)  # the running sum of the filter can end just below
        limits = np.add.reduceat(power, self._starts, axis=-1) @ self._spread
        last = limits.shape[-2] - CONTEXT
        near = [limits[..., CONTEXT + at : last + at, :] for at in range(-BEFORE, AFTER + 1)]
        power_limit = np.minimum(np.minimum.reduce(near) * 10 ** (RISE_DB / 10), near[BEFORE])
        limit = np.sqrt(power_limit)[..., self._band_of]
        return Shape(np.sqrt(np.sqrt(level)), limit, level)


class Stream:
    """Sound as it comes in pieces, checked, as whole frames with what is around them.

    Raises:
        UnsupportedSoundError: rate or channels cannot be worked on.
    """

    def __init__(self, *, rate_hz: int, channels: int, block_frames: int = BLOCK_FRAMES) -> None:
        if not RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
            raise UnsupportedSoundError(f"A sound of {rate_hz} Hz is outside {RATE_MIN_HZ} to {RATE_MAX_HZ}.")
        if not 1 <= channels <= CHANNELS_MAX:
            raise UnsupportedSoundError(f"A sound of {channels} channels is outside 1 to {CHANNELS_MAX}.")
        self.rate_hz, self.channels = rate_hz, channels
        self.frames = Frames(rate_hz)
        self.count = 0
        """Samples that came in."""
        self._ended = False
        self._block = block_frames
        before = self.frames.length + (CONTEXT - 1) * self.frames.hop
        self._held: Sound = np.zeros((channels, before), np.float32)

    def add(self, pcm: npt.NDArray[np.float32]) -> None:
        """Take the next (n, channels) float32.

        Raises:
            UnsupportedSoundError: type, channels or values cannot be worked on.
        """
        if pcm.dtype != np.float32 or pcm.ndim != 2 or pcm.shape[1] != self.channels:
            raise UnsupportedSoundError(
                f"A block of {pcm.shape} {pcm.dtype} is not float32 of {self.channels} channels."
            )
        if not np.isfinite(pcm).all():
            raise UnsupportedSoundError("A block of the sound has samples that are no numbers.")
        self.count += len(pcm)
        self._held = np.concatenate([self._held, pcm.T], axis=1)

    def end(self) -> None:
        """Silence after the last sample, until all of it has been in every frame that it belongs to."""
        self._ended = True
        after = np.zeros((self.channels, 2 * self.frames.length), np.float32)
        self._held = np.concatenate([self._held, after], axis=1)

    def ready(self) -> Iterator[tuple[Sound, Cells, Shape]]:
        """What can be worked on now: (channels, frames * hop) sound, its spectra and masking."""
        least = 1 if self._ended else self._block
        while (frames := self._whole()) >= least:
            yield self._take(min(frames, 4 * self._block))

    def _whole(self) -> int:
        """Frames with all that is around them."""
        return (int(self._held.shape[1]) - self.frames.length) // self.frames.hop + 1 - 2 * CONTEXT

    def _take(self, ready: int) -> tuple[Sound, Cells, Shape]:
        hop = self.frames.hop
        cells = self.frames.spectra(self._held[:, : (ready + 2 * CONTEXT - 1) * hop + self.frames.length])
        sound = self._held[:, CONTEXT * hop : (CONTEXT + ready) * hop]
        self._held = self._held[:, ready * hop :]
        return sound, cells[:, CONTEXT:-CONTEXT], self.frames.shape(cells)


class Overlap:
    """Cells back to sound, piece by piece: what a frame shares with later ones waits for them."""

    def __init__(self, frames: Frames, *, channels: int) -> None:
        self._frames = frames
        self._tail: Sound = np.zeros((channels, frames.length - frames.hop), np.float32)

    def add(self, cells: Cells) -> Sound:
        """(channels, frames * hop): the sound from the first of these frames on, as far as it is whole."""
        sound = self._frames.sound(cells)
        sound[:, : self._tail.shape[1]] += self._tail
        cut = cells.shape[1] * self._frames.hop
        self._tail = sound[:, cut:].copy()
        return sound[:, :cut]
