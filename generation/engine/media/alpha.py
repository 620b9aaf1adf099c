"""A picture that is transparent in places: VP9 with its cover beside it in WebM, written and read.

VP9 has no fourth plane. The cover is a second VP9 picture, which lies beside the first in each block
(BlockAdditional 1, RFC 9559; the track says AlphaMode). Colours are straight, not multiplied by the cover:
that is what players expect. Decoders of the colour alone see all of it, so what lies under no cover must be
fit to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

import numpy as np
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from generation.engine.errors import EncodeError, UnreadableMediaError
from generation.engine.media.colour import view
from generation.engine.media.encode import BT709, LIMITED, EncodeSettings, VideoWriter
from generation.engine.media.info import MediaInfo, MediaLimits
from generation.engine.media.opening import CODEC_THREADS, open_media, picture_stream
from generation.engine.types import Plane, Planes

CODER = "libvpx-vp9"  # FFmpeg's own decoder of VP9 drops the cover
FORMAT = "yuva420p"
MODE_TAG = "alpha_mode"  # its muxer writes AlphaMode for "1"
BESIDE: Final = "matroska_block_additional"
ABOVE_X264 = 10  # constant quality of VP9 at which the PSNR of a teller is that of x264's crf
HALF_TICK_S = 0.0005  # of a clock of milliseconds
SPEED: Mapping[str, str] = MappingProxyType(
    {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "auto-alt-ref": "0", "lag-in-frames": "0"}
)
"""With ``auto-alt-ref`` the encoder refuses a cover."""


class AlphaWriter(VideoWriter):
    """One chunk as VP9 with cover in WebM, ``info.output_size_px`` large, in the input's time base.

    Key frames of colour and cover fall together, at ``settings.gop`` and where one is asked for, so that
    chunks are joined, and a player seeks, at each. Times are rounded to the milliseconds of the container.
    """

    format, muxing = "webm", MappingProxyType({})

    def _add_stream(self, info: MediaInfo, settings: EncodeSettings) -> VideoStream:
        stream = cast(VideoStream, self._container.add_stream(CODER, rate=info.rate))
        stream.width, stream.height = info.output_size_px
        stream.pix_fmt = FORMAT
        context: Any = stream.codec_context
        context.time_base = info.time_base
        context.gop_size = settings.gop
        context.color_range, context.colorspace = LIMITED, BT709
        context.color_primaries, context.color_trc = BT709, BT709
        context.thread_count = CODEC_THREADS
        quality = {"crf": str(settings.crf + ABOVE_X264), "b": "0"}
        # as near as far: neither of the two encoders puts in a key frame of its own
        context.options = {**SPEED, **quality, "keyint_min": str(settings.gop)}
        return stream

    def _frame(self, planes: Planes) -> VideoFrame:
        if planes.a is None or planes.a.shape != planes.y.shape:
            raise EncodeError("A frame of a transparent video has no cover of its size.")
        height, width = planes.y.shape
        frame = VideoFrame(width, height, FORMAT)
        for target, source in zip(frame.planes, (planes.y, planes.u, planes.v, planes.a), strict=True):
            view(target)[:] = source
        return frame


def covered(packet: Packet[Any]) -> bool:
    """True when a packet brings the cover of its frame."""
    return packet.has_sidedata(BESIDE)


def declares_cover(stream: VideoStream) -> bool:
    """True when the track says that its blocks bring a cover."""
    return any(key.lower() == MODE_TAG and text == "1" for key, text in stream.metadata.items())


def read_covered(path: Path, *, from_s: float = 0.0) -> Iterator[tuple[float, Planes]]:
    """Seconds and planes with cover of a WebM file, from the last key frame at or before a time on.

    Raises:
        UnreadableMediaError: it cannot be decoded, or a frame has no cover.
    """
    limits = MediaLimits()
    with open_media(path, "matroska") as opened:
        stream = picture_stream(opened, pixels=limits.pixels)
        base = stream.time_base
        if stream.codec_context.codec.canonical_name != "vp9" or base is None:
            raise UnreadableMediaError("The picture is not VP9.")
        decoder = _decoder()
        opened.seek(int(from_s / base), stream=stream)
        for packet in opened.demux(stream):
            for frame in decoder.decode(packet if packet.size else None):
                yield float((frame.pts or 0) * base), _planes(frame)


def frame_at(path: Path, time_s: float) -> Planes:
    """The last frame that begins at or before a time, or the first one.

    Raises:
        UnreadableMediaError: nothing can be decoded there, or it has no cover.
    """
    shown = None
    for at_s, planes in read_covered(path, from_s=time_s):
        if shown is not None and at_s > time_s + HALF_TICK_S:
            break
        shown = planes
    if shown is None:
        raise UnreadableMediaError(f"No frame can be decoded at {time_s:.3f} s.")
    return shown


def _decoder() -> VideoCodecContext:
    decoder = CodecContext.create(CODER, "r")
    if not isinstance(decoder, VideoCodecContext):
        raise UnreadableMediaError("VP9 is not decoded here.")
    decoder.thread_count = CODEC_THREADS
    return decoder


def _planes(frame: VideoFrame) -> Planes:
    if frame.format.name != FORMAT:
        raise UnreadableMediaError("A frame of a transparent video has no cover.")
    y, u, v, a = (view(plane).copy() for plane in frame.planes)
    return Planes(y, u, v, a)


def over(planes: Planes, *, luma: int, u: int = 128, v: int = 128) -> Planes:
    """The picture as a player shows it over one colour; the planes themselves where they are opaque."""
    if planes.a is None:
        return planes
    whole = planes.a.astype(np.float32) / np.float32(255)
    half = whole.reshape(whole.shape[0] // 2, 2, whole.shape[1] // 2, 2).mean((1, 3))
    behind = ((planes.y, whole, luma), (planes.u, half, u), (planes.v, half, v))
    return Planes(*(_mixed(plane, cover, level) for plane, cover, level in behind))


def _mixed(plane: Plane, cover: np.ndarray, level: int) -> Plane:
    return np.asarray(level + (plane.astype(np.float32) - level) * cover + 0.5, np.uint8)
