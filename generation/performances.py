"""Performances as footage: stored under their hash like uploads, made by the presenter and by nobody else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np

from generation import blobs
from generation.engine.media.decode import frames_at
from generation.engine.media.image import encode_png
from generation.engine.media.info import AudioInfo, Keyframe, MediaInfo
from generation.engine.types import Image
from generation.models import Media
from generation.presenter.errors import PackageError
from generation.presenter.package import Package

KIND = "performance"
SOUND_RATE = 48_000
COVERED = "yuva420p"
"""Pixel format of a performance without a background."""


def is_performance(media: Media) -> bool:
    """Whether this footage is a script that will be rendered."""
    return bool(media.kind == KIND)


def is_transparent(media: Media) -> bool:
    """Whether it is a performance without a background."""
    return is_performance(media) and bool(media.info.get("pixel_format") == COVERED)


def row_of(package: Package, data: bytes, *, tenant: str, by: str) -> Media:
    """A performance as footage of a tenant; ``data``: the package as written, which the caller stores."""
    sha256 = hashlib.sha256(data).hexdigest()
    values = {"bytes": len(data), "kind": KIND, "info": _info(package, len(data)).as_record(), "uploader": by}
    again = {"erased": None}
    return Media.objects.update_or_create(
        again, tenant=tenant, sha256=sha256, create_defaults={**values, **again}
    )[0]


def package_of(media: Media) -> Package:
    """The performance.

    Raises:
        PackageError: it is gone or damaged.
    """
    if not blobs.store().exists(media.sha256):
        forget()  # somebody was erased: this process may be the only place that still holds the words
        raise PackageError("The performance is gone.")
    return _read(str(blobs.store().path(media.sha256)))


@lru_cache(maxsize=1)
def _read(path: str) -> Package:
    """The newest only: chunks of one job follow each other.
    Blobs are named by their hash and never change."""
    return Package.read(Path(path))


def forget() -> None:
    """Drop what this process remembers; for when somebody is erased."""
    _read.cache_clear()


def pictures(media: Media, info: MediaInfo, times_s: Sequence[float]) -> Iterator[Image]:
    """(h, w, 3) uint8 BGR: footage at these times; of a performance, its scenes at rest.

    Raises:
        MediaError, PackageError: it cannot be read.
    """
    if is_performance(media):
        yield from package_of(media).rest
        return
    for frame in frames_at(blobs.store().path(media.sha256), info, times_s):
        yield frame.picture


@contextmanager
def unpacked(media: Media, folder: Path) -> Iterator[tuple[Path, Path]]:
    """A performance as files for a seal: its first scene at rest (PNG) and its sound (PCM in Matroska).

    Raises:
        PackageError: it cannot be read.
    """
    package = package_of(media)
    folder.mkdir(parents=True, exist_ok=True)
    still, sound = folder / "rest.png", folder / "sound.mkv"
    try:
        still.write_bytes(encode_png(package.rest[0]))
        _write_sound(package, sound)
        yield still, sound
    finally:
        still.unlink(missing_ok=True)
        sound.unlink(missing_ok=True)


def _write_sound(package: Package, path: Path) -> None:
    """Mono 16 bit at 48 kHz, exactly as long as the pictures."""
    resampler = av.AudioResampler("s16", "mono", SOUND_RATE)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(package.pcm)[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = package.rate, 0, Fraction(1, package.rate)
    parts = [each.to_ndarray()[0] for each in (*resampler.resample(frame), *resampler.resample(None))]
    length = package.frames * SOUND_RATE // package.fps
    pcm = np.concatenate(parts)[:length]
    pcm = np.pad(pcm, (0, length - len(pcm)))
    with av.open(str(path), "w", format="matroska") as file:
        stream = file.add_stream("pcm_s16le", rate=SOUND_RATE, layout="mono")
        for first in range(0, length, SOUND_RATE):
            piece = np.ascontiguousarray(pcm[first : first + SOUND_RATE])[None]
            said = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
            said.sample_rate, said.pts, said.time_base = SOUND_RATE, first, Fraction(1, SOUND_RATE)
            file.mux(stream.encode(said))
        file.mux(stream.encode(None))


def _info(package: Package, size_bytes: int) -> MediaInfo:
    """What rules and planner ask of footage: size, length, rate."""
    width, height = package.size_px
    return MediaInfo(
        container=KIND,
        size_bytes=size_bytes,
        codec=KIND,
        width_px=width,
        height_px=height,
        orientation=1,
        time_base=Fraction(1, package.fps),
        start_pts=0,
        duration_s=package.frames / package.fps,
        frame_count=package.frames,
        rate=Fraction(package.fps),
        variable_rate=False,
        pixel_format=COVERED if package.scene.get("transparent") else "yuv420p",
        bit_depth=8,
        colour_space=1,
        full_range=False,
        interlaced=False,
        pixel_aspect=Fraction(1),
        keyframes=(Keyframe(0, 0),),
        audio=AudioInfo("pcm_s16le", package.rate, 1, True),
    )
