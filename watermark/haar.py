"""The numbers in which invisible-watermark 0.2.0 hides bits, for all blocks of a picture at once.

Bit ``i mod n`` lies in block ``i`` (raster order, 8 x 8 pixels) of the U channel: the Haar approximation is
cut into 4 x 4 blocks, and a number of each block is moved to (k + 1/4) or (k + 3/4) steps of 36. With dwtDct
that number is the largest coefficient but the first (the code does no DCT), with dwtDctSvd the largest
singular value, which an orthonormal DCT leaves alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from watermark.errors import UnsupportedFrameError

STEP = 36.0

Image = npt.NDArray[np.uint8]
"""(h, w, 3) uint8, BGR; or (h, w) uint8, one channel of it."""
Bits = npt.NDArray[np.uint8]
"""(n,) uint8, each 0 or 1."""
Votes = npt.NDArray[np.bool_]
"""(rows, columns) or (n,) bool: the bit that each block gives."""
Blocks = npt.NDArray[np.float32]
"""(4, 4, rows, columns) float32: coefficient (i, j) of every block, so that all blocks are one operand."""
Numbers = npt.NDArray[np.float32]
"""(rows, columns) float32 >= 0: what carries the bit in each block."""

_HAAR = 0.7071067811865476


class Method(StrEnum):
    """The two methods of the package that need no network."""

    DWT_DCT = "dwtDct"
    DWT_DCT_SVD = "dwtDctSvd"


def eight_bits(image: npt.NDArray[Any]) -> Image:
    """(h, w) or (h, w, 3) uint8; alpha is left out, for the mark is not in it.

    Raises:
        UnsupportedFrameError: other shapes and types.
    """
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3) or 0 in image.shape:
        raise UnsupportedFrameError(
            f"A picture of {image.shape} {image.dtype} is not 8 or 16 bits of colour."
        )
    picture = image if image.dtype == np.uint8 else ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if picture.ndim == 3 and picture.shape[2] == 1:
        return np.asarray(picture[..., 0])
    if picture.ndim == 3 and picture.shape[2] not in (3, 4):
        raise UnsupportedFrameError(f"A picture of {image.shape[2]} channels is neither BGR nor BGRA.")
    return np.ascontiguousarray(picture[..., :3]) if picture.ndim == 3 else picture


def colour(image: npt.NDArray[Any]) -> Image:
    """The picture, when it is (h, w, 3) uint8 of at least one block.

    Raises:
        UnsupportedFrameError: it is not.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < 8:
        raise UnsupportedFrameError(f"A picture of {image.shape} {image.dtype} is not (h, w, 3) uint8, BGR.")
    return np.ascontiguousarray(image)


def u_channel(picture: Image, order: int) -> Image:
    """(h, w) the channel that is marked; ``order``: OpenCV's code for how the picture is taken."""
    return np.asarray(cv2.cvtColor(picture, order)[..., 1], np.uint8)


def approximation(channel: Image) -> Blocks:
    """The Haar approximation (a + b + c + d) / 2 of 2 x 2 pixels, in blocks of 4 x 4."""
    rows, columns = channel.shape[0] // 8, channel.shape[1] // 8
    size = (4 * columns, 4 * rows)
    whole = channel[: 8 * rows, : 8 * columns].astype(np.float32)
    half = cv2.resize(whole, size, interpolation=cv2.INTER_AREA) * 2
    return np.ascontiguousarray(half.reshape(rows, 4, columns, 4).transpose(1, 3, 0, 2))


def _exact(channel: Image, at: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """(m, 4, 4) the blocks ``at`` as PyWavelets computes them, down to the last bit: columns first."""
    columns = channel.shape[1] // 8
    y, x = np.divmod(at[:, None, None], columns)
    within = np.arange(8)
    pixels = channel[8 * y + within[:, None], 8 * x + within].astype(np.float64)
    half = pixels[:, 0::2] * _HAAR + pixels[:, 1::2] * _HAAR
    return np.asarray(half[..., 0::2] * _HAAR + half[..., 1::2] * _HAAR, np.float64)


def singular(blocks: Blocks) -> tuple[Blocks, Numbers, Blocks]:
    """u (4, rows, columns), s, v of the largest singular value of every block.

    Three squarings of B'B are eight steps of the power iteration; the blocks of U are near to rank one.
    """
    power = _gram(blocks)
    for _ in range(3):
        power /= np.trace(power) + 1e-12
        power = _gram(power)  # symmetric: its square
    v = power.sum(1)
    v /= np.sqrt(np.square(v).sum(0)) + 1e-12
    u = (blocks * v).sum(1)
    s = np.sqrt(np.square(u).sum(0))
    return u / (s + 1e-12), s, v


def _gram(blocks: Blocks) -> Blocks:
    """B'B of every block."""
    return np.asarray(np.einsum("kirc,kjrc->ijrc", blocks, blocks), np.float32)


def votes_of(channel: Image, blocks: Blocks, method: Method) -> Votes:
    """(rows, columns) the bit of every block, equal to the original's.

    A number within rounding of the limit between two bits is computed again as the original does it.
    """
    found = numbers_of(blocks, method)
    votes = found % STEP > STEP / 2
    near = np.abs((found + STEP / 4) % (STEP / 2) - STEP / 4) < 2e-3
    if near.any():
        exact, back = np.unique(_exact(channel, np.flatnonzero(near)), axis=0, return_inverse=True)
        if method is Method.DWT_DCT:
            again = np.abs(exact.reshape(-1, 16)[:, 1:]).max(1)
        else:
            again = np.linalg.svd(np.stack([cv2.dct(block) for block in exact]))[1][:, 0]
        votes[near] = (again % STEP > STEP / 2)[back.ravel()]
    return np.asarray(votes, np.bool_)


def numbers_of(blocks: Blocks, method: Method) -> Numbers:
    """The number of every block that the method moves."""
    if method is Method.DWT_DCT_SVD:
        return singular(blocks)[1]
    rows, columns = blocks.shape[2:]
    return np.asarray(np.abs(blocks.reshape(16, rows, columns)[1:]).max(0), np.float32)


def bits_of(votes: Votes, length: int) -> Bits:
    """(length,) the majority of the votes, (n,) in raster order, on each bit; ties as in the original."""
    at = np.arange(len(votes)) % length
    share = np.bincount(at, votes, minlength=length) / np.bincount(at, minlength=length)
    return np.asarray(share * 255 > 127, np.uint8)
