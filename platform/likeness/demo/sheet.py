"""Contact sheets: before and after, and the teller's lips, picture by picture with its figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from generation.engine.types import Image

CELL_W, CELL_H = 480, 270
GAP = 12
HEAD, FOOT = 44, 34
PAPER, INK, MUTED = (250, 248, 246), (40, 34, 30), (120, 110, 104)
FONT = "uni"  # built into OpenCV 5; draws Latin and Chinese with no font file


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the sheet: a caption and its pictures, each fitted into a cell."""

    caption: str
    pictures: Sequence[Image]


@dataclass(frozen=True, slots=True)
class Cell:
    """One square picture of a sheet and the words under it."""

    picture: Image
    words: str


def frames_at(path: Path, shares: Sequence[float]) -> list[Image]:
    """The frames nearest to the given shares (0..1) of the clip's length, in one decode pass."""
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        total = stream.frames or sum(1 for _ in av.open(str(path)).decode(video=0))
        wanted = [min(total - 1, round(share * (total - 1))) for share in shares]
        found: dict[int, Image] = {}
        for index, frame in enumerate(clip.decode(stream)):
            if index in wanted:
                found[index] = frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
            if index >= max(wanted):
                break
    return [found[index] for index in wanted if index in found]


def write_sheet(path: Path, *, title: str, rows: Sequence[Row]) -> None:
    """Write the sheet as PNG."""
    columns = max(len(row.pictures) for row in rows)
    width = GAP + columns * (CELL_W + GAP)
    height = HEAD + 2 * GAP + len(rows) * (CELL_H + HEAD + GAP)
    sheet = np.full((height, width, 3), PAPER, np.uint8)
    _write(sheet, title, (GAP, HEAD - 8), size=28, colour=INK)
    top = HEAD + GAP
    for row in rows:
        _write(sheet, row.caption, (GAP, top + 26), size=22, colour=MUTED)
        for column, picture in enumerate(row.pictures):
            _paste(sheet, picture, GAP + column * (CELL_W + GAP), top + HEAD)
        top += HEAD + CELL_H + GAP
    cv2.imwrite(str(path), sheet)


def write_cells(path: Path, *, title: str, rows: Sequence[tuple[str, Sequence[Cell]]]) -> None:
    """Write a sheet of captioned rows; each picture is square and has its words below."""
    side = max((cell.picture.shape[0] for _, cells in rows for cell in cells), default=CELL_H)
    columns = max((len(cells) for _, cells in rows), default=1)
    tall = HEAD + side + FOOT + GAP
    sheet = np.full((HEAD + 2 * GAP + len(rows) * tall, GAP + columns * (side + GAP), 3), PAPER, np.uint8)
    _write(sheet, title, (GAP, HEAD - 8), size=28, colour=INK)
    for row, (caption, cells) in enumerate(rows):
        top = HEAD + GAP + row * tall
        _write(sheet, caption, (GAP, top + 26), size=22, colour=MUTED)
        for column, cell in enumerate(cells):
            left = GAP + column * (side + GAP)
            sheet[top + HEAD : top + HEAD + side, left : left + side] = cell.picture
            _write(sheet, cell.words, (left, top + HEAD + side + 24), size=20, colour=INK)
    cv2.imwrite(str(path), sheet)


def _paste(sheet: Image, picture: Image, x: int, y: int) -> None:
    scale = min(CELL_W / picture.shape[1], CELL_H / picture.shape[0])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    left, upper = x + (CELL_W - size[0]) // 2, y + (CELL_H - size[1]) // 2
    sheet[upper : upper + size[1], left : left + size[0]] = small


def _write(sheet: Image, text: str, at: tuple[int, int], *, size: int, colour: tuple[int, int, int]) -> None:
    cv2.putText(sheet, text, at, colour, cv2.FontFace(FONT), size, 400)
