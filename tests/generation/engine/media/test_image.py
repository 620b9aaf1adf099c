from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from generation.engine.errors import MediaError, TooLargeError, UnreadableMediaError
from generation.engine.media.image import decode_image, encode_png
from generation.engine.media.info import MediaLimits
from tests.generation.engine.media.makers import png_bomb

CORNERS = np.zeros((4, 6, 3), np.uint8)
CORNERS[:2, :3], CORNERS[:2, 3:], CORNERS[2:, :3], CORNERS[2:, 3:] = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
)
TURNED = {  # CIPA DC-008: where the picture's first row and column belong
    1: CORNERS,
    2: CORNERS[:, ::-1],
    3: CORNERS[::-1, ::-1],
    4: CORNERS[::-1],
    5: CORNERS.transpose(1, 0, 2),
    6: np.rot90(CORNERS, -1),
    7: CORNERS[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(CORNERS, 1),
}


def written(picture: np.ndarray, kind: str) -> bytes:
    done, data = cv2.imencode(kind, picture)
    assert done
    return data.tobytes()


def with_exif(data: bytes, orientation: int, order: str) -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    tiff = mark + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    if data.startswith(b"\xff\xd8"):
        segment = b"Exif\0\0" + tiff
        return data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    body = b"eXIf" + tiff
    return data[:33] + struct.pack(">I", len(tiff)) + body + struct.pack(">I", zlib.crc32(body)) + data[33:]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_applied_to_a_png(orientation: int, order: str) -> None:
    picture = decode_image(with_exif(written(CORNERS, ".png"), orientation, order))
    assert np.array_equal(picture, TURNED[orientation])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_to_a_jpeg(orientation: int) -> None:
    large = np.kron(CORNERS, np.ones((32, 32, 1), np.uint8))
    picture = decode_image(with_exif(written(large, ".jpg"), orientation, "<"))
    expected = np.kron(TURNED[orientation], np.ones((32, 32, 1), np.uint8))
    assert np.abs(picture.astype(int) - expected).mean() < 4


def test_transparency_is_laid_on_white() -> None:
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0, 0] = (10, 20, 30, 255)
    clear[0, 1] = (0, 0, 0, 128)
    picture = decode_image(written(clear, ".png"))
    assert picture[0, 0].tolist() == [10, 20, 30]
    assert picture[0, 1].tolist() == [127, 127, 127]
    assert picture[1, 1].tolist() == [255, 255, 255]


def test_sixteen_bit_become_eight() -> None:
    deep = np.array([[[0, 32896, 65535]]], np.uint16)
    assert decode_image(written(deep, ".png"))[0, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_becomes_three_channels(dtype: type) -> None:
    grey = np.full((3, 5), np.iinfo(dtype).max, dtype)
    assert decode_image(written(grey, ".png")).shape == (3, 5, 3)


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp"])
def test_each_kind_keeps_its_size(kind: str) -> None:
    picture = np.full((37, 53, 3), 128, np.uint8)
    assert decode_image(written(picture, kind)).shape == (37, 53, 3)


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_cut_picture_is_refused(kind: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    data = written(noise, kind)
    with pytest.raises(UnreadableMediaError):
        decode_image(data[: int(share * len(data))])


@pytest.mark.parametrize(
    "data", [b"", b"no picture", b"GIF89a" + bytes(20), b"\x00\x00\x00\x18ftypisom" + bytes(9)]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableMediaError):
        decode_image(data)


def test_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(TooLargeError):
        decode_image(png_bomb(10_000))


def test_limits_are_the_callers() -> None:
    with pytest.raises(TooLargeError):
        decode_image(written(CORNERS, ".png"), limits=MediaLimits(still_pixels=23))


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp"])
def test_broken_bytes_never_fail_in_another_way(kind: str) -> None:
    data = written(np.random.default_rng(2).integers(0, 255, (24, 24, 3), np.uint8), kind)
    for at in range(min(300, len(data))):
        try:
            decode_image(data[:at] + bytes([data[at] ^ 0xA5]) + data[at + 1 :])
        except MediaError:
            continue


def test_png_round_trip_is_exact() -> None:
    assert np.array_equal(decode_image(encode_png(CORNERS)), CORNERS)
