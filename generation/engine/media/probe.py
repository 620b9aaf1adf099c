"""What a media file holds, learnt without trusting it.

- Kind, size, structure and header sizes are read by our own bounded code first (``boxes``, ``image``).
- Videos are then read and one frame decoded in a limited child process (``guarded``).
- Pictures are decoded here, after their header's size passed the limit.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from generation.engine.errors import UnreadableMediaError
from generation.engine.media import boxes, guarded, image
from generation.engine.media.info import STILL_CONTAINERS, Keyframe, MediaInfo, MediaLimits

LIMITS = MediaLimits()
STILL_RATE = Fraction(25)  # a picture passes as one frame of a clip at this rate


def probe(path: Path, limits: MediaLimits = LIMITS) -> MediaInfo:
    """What the file holds.

    Raises:
        UnreadableMediaError: no such file, not media, cut off, no frames or no picture.
        TooLargeError: bytes, pixels, duration, frame rate, streams or boxes over the limit.
        UnsupportedMediaError: HDR, playlists, turns by odd angles, unknown codecs.
    """
    if not path.is_file():
        raise UnreadableMediaError("There is no such file.")
    container = boxes.sniff(path, limits)
    if container in STILL_CONTAINERS:
        return _probe_still(path, container, limits)
    boxes.check_container(path, container, limits)
    return guarded.scan(path, container, limits)


def _probe_still(path: Path, container: str, limits: MediaLimits) -> MediaInfo:
    picture = image.decode_image(path.read_bytes(), limits=limits)
    height, width = picture.shape[:2]
    notes = []
    if width % 2 or height % 2:
        notes.append("The picture was padded to an even size by one row or column.")
    return MediaInfo(
        container=container,
        size_bytes=path.stat().st_size,
        codec=container,
        width_px=width,
        height_px=height,
        orientation=1,
        time_base=1 / STILL_RATE,
        start_pts=0,
        duration_s=float(1 / STILL_RATE),
        frame_count=1,
        rate=STILL_RATE,
        variable_rate=False,
        pixel_format="bgr24",
        bit_depth=8,
        colour_space=0,
        full_range=True,
        interlaced=False,
        pixel_aspect=Fraction(1),
        keyframes=(Keyframe(0, 0),),
        audio=None,
        notes=tuple(notes),
    )
