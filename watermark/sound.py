"""The sound mark, TileTone v2: the picture's id, tag and code in a keyed noise under the sound, 0.4 to 4 kHz.

The pattern is made of tiles of 1.024 s, each with signs of its own; 64 of them, 65.5 s, come before the first
returns, and each id starts at a tile of its own. It must never become shorter: who folds a sound at the
period of the pattern adds the pattern up, without the key. Amplitude follows ``masking``; one strength holds
for a whole file. All channels carry the same pattern, each under its own level: a mix to mono keeps it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal

from watermark.errors import StrengthUnsetError
from watermark.masking import (
    HIGH_HZ,
    LOW_HZ,
    OVERLAP_GAIN,
    Cells,
    Levels,
    Overlap,
    Shape,
    Sound,
    Stream,
)
from watermark.payload import CODE_BITS, ID_BITS, MarkKeys, encode, keyed_permutation, keyed_signs, message

ALGORITHM = "tiletone2"
RATE_HZ = 16_000
"""Rate at which the pattern is defined and looked for."""
TILE = 16_384
TILES = 64
PERIOD = TILE * TILES
"""2^20 samples, 65.5 s: folding needs more than a hundred periods, so two hours, to find the pattern."""
FIRST_BIN, LAST_BIN = 410, 4096
PILOT_SHARE = 0.30
CODE_STEP = 67  # code bits move along the places from tile to tile, so that none stays at a weak frequency
TARGET_DB = 27.5
"""Signal to noise of the marked sound, by one strength for all of it; 26 is asked for at least."""
SECONDS_MIN = 2.0
SILENCE = 1e-4  # -80 dB: root mean square of what counts as mute
READABLE = 1300.0
"""Expected evidence above which a mark must read back: at half of it decoding begins in the worst sound seen,
white noise."""

Signs = npt.NDArray[np.int8]


class SoundCarrier:
    """Everything that follows from the keys: places and signs of pilots and data in every tile.

    Raises:
        WeakKeyError: through ``MarkKeys``.
    """

    def __init__(self, keys: MarkKeys) -> None:
        self.keys = keys
        self.bins = np.arange(FIRST_BIN, LAST_BIN)
        self.dims = 2 * len(self.bins)
        """7372: the real parts of 3686 bins, then their imaginary parts."""
        sync, data = keys.sync + b" sound", keys.data + b" sound"
        places = keyed_permutation(sync, self.dims)
        cut = int(self.dims * PILOT_SHARE)
        self.pilots, self.data = np.sort(places[:cut]), places[cut:]
        self.signs: Signs = np.empty((TILES, self.dims), np.int8)
        self.signs[:, self.pilots] = keyed_signs(sync, (TILES, cut))
        self.signs[:, self.data] = keyed_signs(data, (TILES, len(self.data)))
        steps = np.arange(len(self.data)) + CODE_STEP * np.arange(TILES)[:, None]
        self.code_bit = steps % CODE_BITS
        """(tiles, data places): the code bit that each place of each tile carries."""

    def start(self, mark_id: int) -> int:
        """The tile that a sound with this id begins with: files laid over each other do not add up."""
        octets = mark_id.to_bytes(ID_BITS // 8, "big")
        return hashlib.shake_256(self.keys.data + b" start" + octets).digest(1)[0] % TILES

    def coefficients(self, mark_id: int) -> Signs:
        """(tiles, dims) what each tile says: pilots alone, and data times the code."""
        code = (1 - 2 * encode(message(self.keys, mark_id)).astype(np.int8)).astype(np.int8)
        said = self.signs.copy()
        said[:, self.data] *= code[self.code_bit]
        return said

    def plane(self, said: Signs) -> npt.NDArray[np.float32]:
        """(PERIOD,) float32 at 16 kHz, variance one: all tiles, one after the other."""
        spectrum = np.zeros((TILES, TILE // 2 + 1), np.complex64)
        spectrum[:, self.bins] = said[:, : len(self.bins)] + 1j * said[:, len(self.bins) :]
        return np.asarray(scipy.fft.irfft(spectrum, TILE).ravel() * (TILE / math.sqrt(2.0 * self.dims)), "f4")

    @cached_property
    def pilot_spectrum(self) -> npt.NDArray[np.complex64]:
        """(PERIOD / 2 + 1,) spectrum of the pilots of a whole period."""
        only = np.zeros_like(self.signs)
        only[:, self.pilots] = self.signs[:, self.pilots]
        return np.asarray(scipy.fft.rfft(self.plane(only)), np.complex64)


class Pattern:
    """The pattern of one id at any sampling rate, from any sample on, forward and backward without end."""

    def __init__(self, carrier: SoundCarrier, mark_id: int, *, rate_hz: int) -> None:
        plane = carrier.plane(carrier.coefficients(mark_id))
        self._plane = np.roll(plane, -carrier.start(mark_id) * TILE)
        common = math.gcd(rate_hz, RATE_HZ)
        self._up, self._down = rate_hz // common, RATE_HZ // common
        longest = max(self._up, self._down)
        self._margin = 12 * -(-longest // self._up)
        taps = scipy.signal.firwin(2 * 10 * longest + 1, 1 / max(2, longest), window=("kaiser", 5.0))
        self._taps = taps.astype(np.float32)

    def part(self, first: int, count: int) -> npt.NDArray[np.float32]:
        """(count,) float32, variance one, from sample ``first`` of the sound."""
        before = 1 + -(-self._margin // self._down)
        start = (first // self._up - before) * self._down  # a sample of the pattern that is one of the sound
        stop = -(-(first + count) * self._down // self._up) + self._margin
        source = self._plane.take(np.arange(start, stop), mode="wrap")
        if self._up != self._down:
            source = scipy.signal.resample_poly(
                source,
                self._up,
                self._down,
                window=self._taps,  # type: ignore[call-overload]  # an array is allowed
            )
        skip = first - start * self._up // self._down
        return np.asarray(source[skip : skip + count], np.float32)


@dataclass(frozen=True, slots=True)
class SoundPlan:
    """How a whole file is marked; ``carries`` False: it is left as it is, for the reason given."""

    strength: float
    carries: bool
    reason: str
    seconds: float


class SoundGauge:
    """Listens to a whole file once and says how strongly it is to be marked."""

    _STEP_DB, _LOWEST_DB, _STEPS = 0.25, -160.0, 960

    def __init__(self, *, rate_hz: int, channels: int) -> None:
        self._in = Stream(rate_hz=rate_hz, channels=channels)
        self._energy = 0.0
        self._below = np.zeros(self._STEPS)  # energy of the mark where the limit decides, by strength
        self._above = np.zeros(self._STEPS)  # and, at strength one, where it does not

    def feed(self, pcm: npt.NDArray[np.float32]) -> None:
        """Take the next (n, channels) float32.

        Raises:
            UnsupportedSoundError: rate, channels, type or values cannot be marked.
        """
        self._in.add(pcm)
        self._energy += float(np.square(pcm, dtype=np.float64).sum())
        self._listen()

    def _listen(self) -> None:
        for _, _, shape in self._in.ready():
            heard = shape.follow > 0
            follow, limit = shape.follow[heard], shape.limit[heard]
            at = (20 * np.log10(limit / follow + 1e-12) - self._LOWEST_DB) / self._STEP_DB
            at = np.clip(at, 0, self._STEPS - 1).astype(int)
            self._below += np.bincount(at, np.square(limit), self._STEPS)
            self._above += np.bincount(at, np.square(follow), self._STEPS)

    def plan(self) -> SoundPlan:
        """The strength that brings the file to ``TARGET_DB``, or why it is not marked."""
        self._in.end()
        self._listen()
        count, rate = self._in.count, self._in.rate_hz
        seconds = count / rate
        if seconds < SECONDS_MIN:
            return SoundPlan(0.0, False, f"shorter than {SECONDS_MIN:.0f} s", seconds)
        if math.sqrt(self._energy / (count * self._in.channels)) < SILENCE:
            return SoundPlan(0.0, False, "mute", seconds)
        strengths = 10 ** ((self._LOWEST_DB + self._STEP_DB * np.arange(self._STEPS)) / 20)
        limited = np.cumsum(self._below)
        free = np.cumsum(self._above[::-1])[::-1] - self._above
        energy = (limited + np.square(strengths) * free) * self._energy_of_cells()
        allowed = self._energy / 10 ** (TARGET_DB / 10)
        at = max(0, int(np.searchsorted(energy, allowed)) - 1)
        return SoundPlan(float(strengths[at]), True, "", seconds)

    def _energy_of_cells(self) -> float:
        """Energy of samples per squared amplitude of one cell (two sides, overlapping windows)."""
        frames = self._in.frames
        return 2 * frames.weight**2 / frames.length / OVERLAP_GAIN


class SoundMarker:
    """Puts one id into the sound of one file, piece by piece, in bounded memory; nothing is delayed in total.

    Raises:
        UnsupportedSoundError: rate or channels cannot be marked.
        MarkIdError: the id is zero or not 64 bits.
        StrengthUnsetError: the plan says that the file does not carry the mark.
    """

    def __init__(
        self, carrier: SoundCarrier, mark_id: int, *, rate_hz: int, channels: int, strength: float
    ) -> None:
        if not strength > 0:
            raise StrengthUnsetError("The sound has no strength to be marked with.")
        self._in = Stream(rate_hz=rate_hz, channels=channels)
        self._pattern = Pattern(carrier, mark_id, rate_hz=rate_hz)
        self._strength = strength
        frames = self._in.frames
        density = rate_hz / 2 / (HIGH_HZ - LOW_HZ)
        self._unit = frames.weight / math.sqrt(frames.power * density)
        self._at = -frames.length + frames.hop  # sample at which the next frame begins
        self._given = self._at
        self._out = Overlap(frames, channels=channels)
        self.evidence = 0.0
        """Squared distance, in standard deviations, that a reader of the file may expect."""

    def feed(self, pcm: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The marked sound that is ready after the next (n, channels) float32: (m, channels), m may be 0.

        Raises:
            UnsupportedSoundError: type, channels or values cannot be marked.
        """
        self._in.add(pcm)
        return self._ready()

    def flush(self) -> npt.NDArray[np.float32]:
        """The rest; as many samples have then come out as went in."""
        self._in.end()
        return self._ready()

    def _ready(self) -> npt.NDArray[np.float32]:
        parts = [np.empty((0, self._in.channels), np.float32)]
        for sound, cells, shape in self._in.ready():
            marked = sound + self._change(cells, shape)
            skip = max(0, -self._given)
            stop = min(marked.shape[1], self._in.count - self._given)
            self._given += marked.shape[1]
            parts.append(marked[:, skip : max(skip, stop)].T)
        return np.concatenate(parts)

    def _change(self, cells: Cells, shape: Shape) -> Sound:
        frames = self._in.frames
        count = cells.shape[1]
        pattern = self._pattern.part(self._at, (count - 1) * frames.hop + frames.length)
        self._at += count * frames.hop
        noise = frames.spectra(pattern)[..., frames.low : frames.high] * np.float32(self._unit)
        amplitude = shape.amplitude(self._strength)
        self._expect(cells[..., frames.low : frames.high], shape, amplitude)
        return self._out.add(np.asarray(noise * amplitude, np.complex64))

    def _expect(self, cells: Cells, shape: Shape, amplitude: Levels) -> None:
        """Add what the loudest channel of each cell will show under the noise of a codec at the limit."""
        power = np.square(cells.real) + np.square(cells.imag)
        noise = power + 0.1 * np.square(shape.level) + np.square(shape.limit)
        self.evidence += 0.5 * float((np.square(amplitude) / (noise + 1e-18)).mean(axis=0).sum())
