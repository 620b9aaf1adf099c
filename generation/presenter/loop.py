"""An idle clip that goes on without an end: cut where it is most like itself, faded into its own beginning.

The loop is a file of its own, decoded along: twenty seconds of 1080 lines are three gigabytes as pictures.
Only landmarks and small mattes are kept beside it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from generation.engine.faces.models import FaceModels
from generation.engine.faces.pose import head_pose
from generation.engine.look.matte import Alpha, Matting
from generation.engine.media.chunks import ChunkSpan, whole
from generation.engine.media.colour import to_planes
from generation.engine.media.decode import Frame, read_frames
from generation.engine.media.encode import EncodeSettings, VideoWriter
from generation.engine.media.info import MediaInfo
from generation.engine.types import Image, Points
from generation.presenter.errors import IdleRejectedError
from generation.presenter.idle import FaceWatcher, IdleLimits, examine
from generation.presenter.loop_seam import faded_meshes, faded_pictures, find_seam

DRIFT_DEG = 5.0
MATTE_LINES = 360
MATTE_MEMORY = 0.35  # of the matte before: a soft edge flickers otherwise
QUALITY = EncodeSettings(preset="veryfast", crf=10, gop=25)
_MEMBERS_MAX = 1 << 28


@dataclass(frozen=True, slots=True)
class Loop:
    """``meshes``: (n, 468, 3) float32, smoothed; ``mattes``: PNG by frame, empty: the clip keeps its room."""

    size_px: tuple[int, int]
    fps: int
    meshes: Points
    mattes: tuple[bytes, ...] = ()

    def __len__(self) -> int:
        return len(self.meshes)

    @property
    def bases(self) -> tuple[int, ...]:
        """By frame: the frame whose mouth it is drawn from; a new one once the head has turned 5 degrees."""
        return _bases(self.meshes)

    @property
    def references(self) -> tuple[int, ...]:
        """The frames that a mouth is drawn from, most often one."""
        return tuple(sorted(set(self.bases)))

    def matte(self, at: int) -> Alpha:
        """(h, w) float32 of one frame, 0 to 1, ``MATTE_LINES`` tall."""
        packed = np.frombuffer(self.mattes[at % len(self)], np.uint8)
        found = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
        if found is None:
            raise IdleRejectedError("A matte of the idle loop is damaged.", failed={"frame": float(at)})
        return np.asarray(found, np.float32) / np.float32(255)

    def packed(self) -> bytes:
        """The loop without its pictures, to be kept beside the file."""
        out = io.BytesIO()
        np.savez_compressed(
            out,
            size=np.array([*self.size_px, self.fps], np.int64),
            meshes=self.meshes,
            mattes=np.frombuffer(b"".join(self.mattes), np.uint8),
            lengths=np.array([len(each) for each in self.mattes], np.int64),
        )
        return out.getvalue()


def unpacked(data: bytes) -> Loop:
    """What ``Loop.packed`` gave.

    Raises:
        IdleRejectedError: the data is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(each.file_size for each in archive.infolist()) > _MEMBERS_MAX:
                raise ValueError("too large")
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            width, height, fps = (int(each) for each in found["size"])
            meshes = np.asarray(found["meshes"], np.float32)
            mattes = _split(found["mattes"].tobytes(), [int(each) for each in found["lengths"]])
    except (ValueError, KeyError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise IdleRejectedError(f"The idle loop's record is damaged: {error}.", failed={}) from None
    fits = meshes.ndim == 3 and meshes.shape[1:] == (468, 3) and len(meshes) and np.isfinite(meshes).all()
    if not fits or len(mattes) not in (0, len(meshes)) or min(width, height, fps) <= 0:
        raise IdleRejectedError("The idle loop's record is damaged: its parts do not fit.", failed={})
    return Loop((width, height), fps, meshes, mattes)


def _split(data: bytes, lengths: Sequence[int]) -> tuple[bytes, ...]:
    if any(length < 0 for length in lengths) or sum(lengths) != len(data):
        raise ValueError("mattes of another length")
    ends = np.cumsum([0, *lengths]).tolist()
    return tuple(data[a:b] for a, b in pairwise(ends))


def make_loop(
    path: Path,
    info: MediaInfo,
    *,
    out: Path,
    models: FaceModels,
    fps: int,
    matting: Matting | None = None,
    limits: IdleLimits | None = None,
) -> Loop:
    """Judge a clip, cut it into a loop and write that to ``out``: H.264 in MP4, without sound.

    ``matting``: cut the person out; without it the clip keeps its own room.

    Raises:
        IdleRejectedError: with every failed check and its number.
        MediaError: the clip cannot be read, or the loop not be written.
    """
    if info.still or info.pixel_aspect != 1:
        raise IdleRejectedError("The idle clip is a still, or its pixels are not square.", failed={})
    study = examine(
        at_rate(_frames(path, info), fps=fps), watcher=FaceWatcher(models), fps=fps, limits=limits
    )
    seam = find_seam(study, fps=fps)
    faded = faded_pictures(at_rate(_frames(path, info), fps=fps), seam)
    mattes = _written(out, faded, info=info, fps=fps, matting=matting)
    return Loop(info.output_size_px, fps, faded_meshes(study.meshes, seam), mattes)


def _frames(path: Path, info: MediaInfo) -> Iterator[Frame]:
    return read_frames(path, info, whole(info))


def at_rate(frames: Iterable[Frame], *, fps: int) -> Iterator[Image]:
    """The pictures of a clip at another rate: each time the frame that lies nearest to it."""
    count, step_s, before = 0, 0.0, None
    for frame in frames:
        if before is not None:
            step_s = frame.time_s - before.time_s
            while count / fps < before.time_s + step_s / 2:
                yield before.picture
                count += 1
        before = frame
    while before is not None and count / fps < before.time_s + step_s / 2:
        yield before.picture
        count += 1


def _written(
    out: Path, pictures: Iterable[Image], *, info: MediaInfo, fps: int, matting: Matting | None
) -> tuple[bytes, ...]:
    width, height = info.output_size_px
    shape = replace(
        info, width_px=width, height_px=height, orientation=1, rate=Fraction(fps), time_base=Fraction(1, fps)
    )
    mattes: list[bytes] = []
    last: Alpha | None = None
    with VideoWriter(out, info=shape, settings=QUALITY) as writer:
        for at, picture in enumerate(pictures):
            writer.write(to_planes(picture), at)
            if matting is not None:
                last = _matte(picture, matting, last)
                mattes.append(_png(last))
    return tuple(mattes)


def _matte(picture: Image, matting: Matting, last: Alpha | None) -> Alpha:
    scale = min(1.0, MATTE_LINES / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    now = matting.alpha(np.asarray(small, np.uint8))
    return now if last is None else np.asarray(now + (last - now) * np.float32(MATTE_MEMORY), np.float32)


def _png(alpha: Alpha) -> bytes:
    _, packed = cv2.imencode(".png", np.round(alpha * 255).astype(np.uint8))
    return packed.tobytes()


def _bases(meshes: Points) -> tuple[int, ...]:
    poses = np.array([[p.yaw_deg, p.pitch_deg, p.roll_deg] for p in map(head_pose, meshes)])
    bases: list[int] = []
    basis = 0
    for at, pose in enumerate(poses):
        if np.abs(pose - poses[basis]).max() > DRIFT_DEG:
            back = [each for each in sorted(set(bases)) if np.abs(pose - poses[each]).max() <= DRIFT_DEG]
            basis = back[0] if back else at
        bases.append(basis)
    return tuple(bases)


def turning(path: Path, info: MediaInfo, *, first: int, count: int) -> Iterator[Image]:
    """``count`` pictures of a loop's file from its frame ``first`` on, round and round.

    Raises:
        MediaError: the file cannot be read.
    """
    while count > 0:
        at = first % info.frame_count
        frames = min(count, info.frame_count - at)
        before = [key for key in info.keyframes if key.first_frame <= at]
        span = ChunkSpan(0, at, frames, seek=before[-1] if before else None)
        for frame in read_frames(path, info, span):
            yield frame.picture
        first, count = first + frames, count - frames
