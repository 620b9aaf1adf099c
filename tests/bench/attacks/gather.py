"""An attacker who knows that all sets of signs share one pilot field, begun at another tile, but not the key.

The mean of one second shows one set. Seconds are laid over each other at every shift of whole tiles, are
kept where they agree best, and are added up: what is left is the pilot field, better with every second.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from watermark.invisible import FIELD, TILE

LOW, HIGH = 7, 26  # cycles per tile, from the published design
Field = np.ndarray


def gathered(means: Sequence[Field]) -> Field:
    """(h, w) the pilots as they seem to lie in the first second, from the mean residual of each second."""
    height, width = means[0].shape
    seconds = [_tiles(mean) for mean in means]
    rows, columns = seconds[0].shape[:2]
    field = np.zeros((FIELD, FIELD, TILE, TILE), np.float32)
    _lay(field, seconds.pop(0), (0, 0))
    while seconds:
        best = [_agreement(field, second) for second in seconds]
        at = max(range(len(best)), key=lambda k: float(best[k].max() / best[k].std()))
        shift = np.unravel_index(int(best[at].argmax()), (FIELD, FIELD))
        _lay(field, seconds.pop(at), (int(shift[0]), int(shift[1])))
    shown = field[np.ix_(np.arange(rows) % FIELD, np.arange(columns) % FIELD)]
    return shown.transpose(0, 2, 1, 3).reshape(rows * TILE, columns * TILE)[:height, :width]


def _tiles(mean: Field) -> Field:
    """(rows, columns, 128, 128) the band of the mark alone, every tile with the same weight."""
    high = mean - cv2.blur(mean, (15, 15))
    high = np.pad(high, ((0, -mean.shape[0] % TILE), (0, -mean.shape[1] % TILE)))
    tiles = high.reshape(high.shape[0] // TILE, TILE, high.shape[1] // TILE, TILE).transpose(0, 2, 1, 3)
    f = np.fft.fftfreq(TILE, 1 / TILE)
    radius = np.hypot(f[:, None], f[None])
    band = np.fft.ifft2(np.fft.fft2(tiles) * ((radius >= LOW) & (radius <= HIGH))).real.astype(np.float32)
    return band / (band.std(axis=(2, 3), keepdims=True) + 1e-3)


def _agreement(field: Field, second: Field) -> Field:
    """(8, 8) how well a second fits the field at each shift of whole tiles."""
    size = np.sqrt(np.square(field).sum((2, 3), keepdims=True)) + 1e-6
    each = np.tensordot(second, field / size, ((2, 3), (2, 3)))
    total = np.zeros((FIELD, FIELD))
    for row, column in np.ndindex(second.shape[:2]):
        total += np.roll(each[row, column], (-row, -column), (0, 1))
    return total - total.mean()


def _lay(field: Field, second: Field, shift: tuple[int, int]) -> None:
    for row, column in np.ndindex(second.shape[:2]):
        field[(row + shift[0]) % FIELD, (column + shift[1]) % FIELD] += second[row, column]
