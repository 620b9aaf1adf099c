"""Marks of the package invisible-watermark 0.2.0: reads its dwtDct and dwtDctSvd, writes dwtDctSvd.

Nothing of that package is needed. Its marks die in a resize, in most crops, at JPEG 70 and in H.264, so this
is for old files, and for lossless stills whose readers know nothing else. The original answers every picture
with bits, marked or not; ``read_legacy`` says what stands behind its bits and never more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from watermark.errors import MarkUnreadableError, UnsupportedFrameError
from watermark.haar import (
    STEP,
    Bits,
    Image,
    Method,
    Votes,
    approximation,
    bits_of,
    colour,
    eight_bits,
    numbers_of,
    singular,
    u_channel,
    votes_of,
)

PIXELS_MIN = 256 * 256  # the original neither writes nor reads smaller pictures
RECOGNISED_BOUND = 1e-6
SUSPECT_BOUND = 1e-3
SUSPECT_Z = 4.8
"""4.3 at most on 132 unmarked pictures (22, as they are, at four sizes, as JPEG 80) over all lengths."""
LENGTHS = (32, 48, 64, 128, 256)
"""Bits of the messages whose words are not known: an IPv4 address, 48 bits, an id, a UUID, a hash."""


class LegacyState(StrEnum):
    """What can be said of a picture."""

    RECOGNISED = "recognised"
    """A published message is there; the bound says how likely chance is."""
    SUSPECTED = "suspected"
    """The votes repeat as a mark's do, but nobody knows the message, or too few bits say so."""
    NOTHING = "nothing"
    """No known message and no repetition; that is not "was never marked"."""
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A message to look for, and which of its bits count as evidence.

    The bound of a reading takes the counted bits as drawn at random: a message of equal bits is like any flat
    picture and must not be asked for.
    """

    name: str
    bits: str
    counted: tuple[int, ...]

    @classmethod
    def of_bits(cls, name: str, bits: str) -> KnownMessage:
        """A message drawn at random: "0101..."."""
        return cls(name, bits, tuple(range(len(bits))))

    @classmethod
    def of_text(cls, text: str) -> KnownMessage:
        """An ASCII text; the three high bits of an octet are alike in all texts and count for nothing."""
        bits = "".join(f"{octet:08b}" for octet in text.encode("ascii"))
        return cls(text, bits, tuple(at for at in range(len(bits)) if at % 8 > 2))


KNOWN = (
    KnownMessage.of_text("StableDiffusionV1"),
    KnownMessage.of_text("StableDiffusionV1-Inpainting"),
    KnownMessage.of_text("SDV2"),
    KnownMessage.of_text("InvokeAI"),
    KnownMessage.of_bits("Stable Diffusion XL", f"{0xB3EC907BB19E:b}"),
    # 48 bits were drawn, but bin() in the published code drops the two leading zeros: 46 are written.
    KnownMessage.of_bits("FLUX", f"{0x2AFE879CF52E:b}"),
)
"""The messages that published generators write by default, all of them with dwtDct."""


@dataclass(frozen=True, slots=True)
class LegacyRead:
    """What was read; ``false_positive_bound`` is 1 where nothing bounds it."""

    state: LegacyState
    method: str = ""
    name: str = ""
    """Of the known message."""
    length: int = 0
    message: str = ""
    """The bits as hexadecimal, padded with zero bits at the end."""
    matched: int = 0
    """Bits equal to the known message."""
    agreement: float = 0.0
    """Share of the blocks that vote for the bits read; a little above 0.5 without a mark."""
    z: float = 0.0
    """How much better the picture's two halves agree in step than at any other shift of the message."""
    tries: int = 0
    false_positive_bound: float = 1.0
    """For a known message, taken as drawn at random and independent of the picture; all tries counted."""
    reason: str = ""

    def as_record(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


class _Reading(NamedTuple):
    """One way in which the mark may have been written, and the vote of every block, raster order."""

    method: Method
    votes: Votes


def read_legacy(image: npt.NDArray[Any], *, known: Sequence[KnownMessage] = KNOWN) -> LegacyRead:
    """Look for the marks of invisible-watermark in one picture.

    ``image``: (h, w), (h, w, 1), (h, w, 3) BGR or (h, w, 4) BGRA; uint8, or uint16 that was 8 bits once.

    Raises:
        UnsupportedFrameError: another shape or type.
    """
    picture = eight_bits(image)
    if picture.ndim == 2:
        return LegacyRead(
            LegacyState.NOT_RUN, reason="a grey picture cannot carry this mark: it is in colour"
        )
    if picture.shape[0] * picture.shape[1] < PIXELS_MIN or min(picture.shape[:2]) < 8:
        return LegacyRead(LegacyState.NOT_RUN, reason="the package marks no picture below 256 x 256 pixels")
    readings = list(_readings(picture))
    tries = len(readings) * len(known)
    blocks = len(readings[0].votes)
    named = [
        _against(reading, message, tries)
        for reading in readings
        for message in known
        if len(message.bits) <= blocks
    ]
    likeliest = min(
        named, key=lambda read: read.false_positive_bound, default=LegacyRead(LegacyState.NOTHING)
    )
    if likeliest.state is not LegacyState.NOTHING:
        return likeliest
    nameless = [_unknown(reading, length) for reading in readings for length in LENGTHS]
    suspects = [read for read in nameless if read.state is LegacyState.SUSPECTED]
    if not suspects:  # then the bits are noise, and nobody should see them
        return LegacyRead(LegacyState.NOTHING, z=max(read.z for read in nameless), tries=tries)
    return replace(max(suspects, key=lambda read: (round(read.agreement, 2), -read.length)), tries=tries)


def decode_bits(image: Image, *, length: int, method: Method = Method.DWT_DCT) -> Bits:
    """(length,) the bits that the original reads from a picture, whether it is marked or not.

    Raises:
        UnsupportedFrameError: not (h, w, 3) uint8, or fewer blocks than bits.
    """
    channel = u_channel(colour(image), cv2.COLOR_BGR2YUV)
    votes = votes_of(channel, approximation(channel), method).ravel()
    if not 0 < length <= len(votes):
        raise UnsupportedFrameError(f"{length} bits do not fit the {len(votes)} blocks of this picture.")
    return bits_of(votes, length)


def embed_bits(image: Image, bits: Sequence[int] | Bits) -> Image:
    """A copy with the bits in it (dwtDctSvd), which this module and the original read; lossless stills only.

    Raises:
        UnsupportedFrameError: not (h, w, 3) uint8, too small, or fewer blocks than bits.
        MarkUnreadableError: the copy does not give the bits back: colours at the end of their range.
    """
    picture = colour(image)
    wanted = np.asarray(bits)
    if wanted.ndim != 1 or not len(wanted) or not np.isin(wanted, (0, 1)).all():
        raise UnsupportedFrameError("The bits of the mark are not a row of zeros and ones.")
    yuv = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV), np.uint8)
    blocks = approximation(yuv[..., 1])
    rows, columns = blocks.shape[2:]
    if picture.shape[0] * picture.shape[1] < PIXELS_MIN or rows * columns < len(wanted):
        raise UnsupportedFrameError(f"A picture of {picture.shape[:2]} is too small for {len(wanted)} bits.")
    u, s, v = singular(blocks)
    bit = np.resize(wanted, rows * columns).reshape(rows, columns)
    moved = (np.floor(s / STEP) + 0.25 + 0.5 * bit) * STEP - s
    change = (moved * u)[:, None] * v[None] * 0.5  # half of it on each of the four pixels
    plane = change.transpose(2, 0, 3, 1).reshape(4 * rows, 4 * columns)
    part = yuv[: 8 * rows, : 8 * columns, 1]
    part[:] = cv2.add(part, plane.repeat(2, 0).repeat(2, 1), dtype=cv2.CV_8U)  # rounds and saturates
    marked = np.asarray(cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR), np.uint8)
    read = decode_bits(marked, length=len(wanted), method=Method.DWT_DCT_SVD)
    if not np.array_equal(read, wanted):
        raise MarkUnreadableError(f"{int((read != wanted).sum())} of {len(wanted)} bits do not come back.")
    return marked


def _readings(picture: Image) -> Iterator[_Reading]:
    """Every way in which generators call the package.

    Some hand it RGB for BGR. Some hand it floats: then U has its zero at 0.5, not at 128, and the original
    reads the bits of the 8-bit file wrongly where U is small.
    """
    for order in (cv2.COLOR_BGR2YUV, cv2.COLOR_RGB2YUV):
        channel = u_channel(picture, order)
        blocks = approximation(channel)
        for method in Method:
            yield _Reading(method, votes_of(channel, blocks, method).ravel())
        floats = numbers_of(blocks - 255.0, Method.DWT_DCT)
        yield _Reading(Method.DWT_DCT, (floats % STEP > STEP / 2).ravel())


# ---- what the votes are worth -------------------------------------------------------------------


def _against(reading: _Reading, message: KnownMessage, tries: int) -> LegacyRead:
    """The reading beside a known message.

    Were the message drawn at random, whatever the picture is, m of n bits would agree as n coins do.
    """
    wanted = np.array([int(bit) for bit in message.bits], np.uint8)
    bits = bits_of(reading.votes, len(wanted))
    wrong = int((bits != wanted)[list(message.counted)].sum())
    count = len(message.counted)
    tail = sum(math.comb(count, k) for k in range(wrong + 1)) / 2**count
    bound = min(1.0, tries * tail)
    if bound <= RECOGNISED_BOUND:
        state = LegacyState.RECOGNISED
    else:
        state = LegacyState.SUSPECTED if bound <= SUSPECT_BOUND else LegacyState.NOTHING
    read = _report(state, reading, bits)
    matched = int((bits == wanted).sum())
    return replace(read, name=message.name, matched=matched, tries=tries, false_positive_bound=bound)


def _unknown(reading: _Reading, length: int) -> LegacyRead:
    """The reading at a length that messages have: suspected when both halves of the picture say the same."""
    z = _in_step(reading.votes, length)
    state = LegacyState.SUSPECTED if z > SUSPECT_Z else LegacyState.NOTHING
    return _report(state, reading, bits_of(reading.votes, length))


def _report(state: LegacyState, reading: _Reading, bits: Bits) -> LegacyRead:
    at = np.arange(len(reading.votes)) % len(bits)
    agreement = float((reading.votes == bits[at]).mean())
    return LegacyRead(
        state,
        method=reading.method.value,
        length=len(bits),
        message=np.packbits(bits).tobytes().hex(),
        agreement=round(agreement, 4),
        z=round(_in_step(reading.votes, len(bits)), 2),
    )


def _in_step(votes: Votes, length: int) -> float:
    """How far the two halves of the picture agree better in step than at the other shifts of a message.

    What is alike in the halves of an unmarked picture is alike at many shifts, so it is the null.
    """
    half = len(votes) // length // 2
    if half < 2:
        return 0.0
    top = votes[: half * length].reshape(half, length).mean(0)
    bottom = votes[half * length : 2 * half * length].reshape(half, length).mean(0)
    spectrum = np.fft.rfft(top - top.mean()).conj() * np.fft.rfft(bottom - bottom.mean())
    together = np.fft.irfft(spectrum, length)
    others = together[1:]
    spread = float(others.std())
    return float(together[0] - others.mean()) / spread if spread > 1e-12 else 0.0
