"""A performance as one file: what is said, how the mouth and head move, and how the first look of it is.

The file is the footage of its job: one hash binds script, sound, mouth shapes, motion, subtitles and
scene, so what was admitted is what is rendered. Arrays and JSON in NumPy's archive, read without pickles.

A *unit* is a sentence's own run of frames: it begins in the silence before the sentence, where the mouth
rests. Units that are equal in two performances are equal in their pictures.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.media.image import encode_png
from generation.engine.types import Image
from generation.presenter.driving import Performance
from generation.presenter.errors import PackageError
from generation.presenter.line import FPS, Spoken, perform
from generation.presenter.motion import Motion
from generation.presenter.remembered import Said, as_records, from_records, said
from generation.presenter.scene import Layout
from generation.presenter.scenes import SceneSpan
from generation.presenter.speech import Pcm, Speech, Timing, Voice
from generation.presenter.storyboard import Transition
from generation.presenter.subtitles import Cue
from generation.presenter.visemes import Curves, Viseme

VERSION = 1
MAX_BYTES = 512 << 20
LEAD_FRAMES = 6
"""Frames of the silence behind a sentence (0.3 s) that belong to the next:
its mouth already prepares there."""
REACH: Mapping[str, float] = {"shift": 0.2, "roll_deg": 0.01}
SHAPE_REACH = 0.05
"""By how much frames that count as equal may differ: pixels, degrees, and shares of a full movement."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """Whose picture is driven; the picture itself stays in the vault."""

    identity: str
    portrait: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Idle:
    """A filmed performer: the loop's film (MP4), and what ``Loop.packed`` gave."""

    film: bytes
    loop: bytes


@dataclass(frozen=True, slots=True)
class Package:
    """One performance. ``rest``: what its scenes look like while nobody moves, (h, w, 3) uint8 BGR each.

    ``units``: first frame of each sentence's own run; ``scene``: what a request said of the look;
    ``said``: its sentences before their loudness was evened, for an edited script.
    """

    pcm: Pcm
    rate: int
    voice: str
    shapes: Curves
    motion: Motion
    visemes: tuple[Viseme, ...]
    cues: tuple[Cue, ...]
    units: tuple[int, ...]
    scene: Mapping[str, Any]
    performer: Portrait
    engine: str
    rest: tuple[Image, ...]
    scenes: tuple[SceneSpan, ...]
    said: tuple[Said, ...] = ()
    idle: Idle | None = None
    fps: int = FPS

    @property
    def frames(self) -> int:
        """Length in frames."""
        return len(self.shapes)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the frames."""
        height, width = self.rest[0].shape[:2]
        return width, height

    @property
    def speech(self) -> Speech:
        """The sound, for those who measure it; its phones are not kept."""
        return Speech(self.pcm, self.rate, (), (), self.voice, Timing.EXACT, Voice(self.voice))

    @property
    def performance(self) -> Performance:
        """What an engine draws."""
        return Performance(self.shapes, self.motion, self.cues)

    def unit(self, number: int) -> slice:
        """Frames of a unit."""
        following = number + 1
        end = self.units[following] if following < len(self.units) else self.frames
        return slice(self.units[number], end)

    def same(self, number: int, other: Package, its: int) -> bool:
        """Whether a unit looks as another's does, wherever it stands in time."""
        mine, theirs = self.unit(number), other.unit(its)
        if mine.stop - mine.start != theirs.stop - theirs.start:
            return False
        if self._subtitles(mine) != other._subtitles(theirs) or self._scenes(mine) != other._scenes(theirs):
            return False
        ours, others = _parts(self.motion), _parts(other.motion)
        near = [(self.shapes[mine], other.shapes[theirs], SHAPE_REACH)]
        near += [(ours[name][mine], others[name][theirs], REACH.get(name, SHAPE_REACH)) for name in ours]
        return all(bool(np.all(np.abs(a - b) <= reach)) for a, b, reach in near)

    def _subtitles(self, frames: slice) -> list[tuple[int, int, tuple[str, ...]]]:
        """Subtitles that are seen in these frames, in frames from the first."""
        seen = []
        for cue in self.cues:
            first, end = (int(np.ceil(second * self.fps - 1e-6)) for second in (cue.start_s, cue.end_s))
            first, end = max(first, frames.start), min(end, frames.stop)
            if first < end:
                seen.append((first - frames.start, end - frames.start, cue.lines))
        return seen

    def _scenes(self, frames: slice) -> list[tuple[int, int, int]]:
        """Numbers of the scenes that are seen in these frames, and from when to when, from the first."""
        return [
            (number, max(span.shows_from - frames.start, 0), min(span.end, frames.stop) - frames.start)
            for number, span in enumerate(self.scenes)
            if span.shows_from < frames.stop and span.end > frames.start
        ]

    def write(self) -> bytes:
        """The file."""
        sentences, said_pcm = as_records(self.said)
        told = {
            "version": VERSION,
            "rate": self.rate,
            "fps": self.fps,
            "voice": self.voice,
            "cues": [[cue.start_s, cue.end_s, list(cue.lines)] for cue in self.cues],
            "units": list(self.units),
            "scene": dict(self.scene),
            "performer": asdict(self.performer),
            "engine": self.engine,
            "rest": len(self.rest),
            "said": sentences,
            "scenes": [asdict(span) for span in self.scenes],
        }
        arrays: dict[str, npt.NDArray[Any]] = {
            "told": np.frombuffer(json.dumps(told, ensure_ascii=False, sort_keys=True).encode(), np.uint8),
            "pcm": self.pcm,
            "said_pcm": said_pcm,
            "shapes": self.shapes,
            "visemes": np.array([(each.id, each.start_s, each.end_s) for each in self.visemes]),
        }
        arrays |= {f"motion_{name}": value for name, value in _parts(self.motion).items()}
        arrays |= {f"rest_{at}": np.frombuffer(encode_png(one), np.uint8) for at, one in enumerate(self.rest)}
        if self.idle is not None:
            arrays |= {
                f"idle_{name}": np.frombuffer(data, np.uint8) for name, data in asdict(self.idle).items()
            }
        stream = io.BytesIO()
        np.savez_compressed(stream, allow_pickle=False, **arrays)
        return stream.getvalue()

    @classmethod
    def read(cls, path: Path) -> Self:
        """What ``write`` gave.

        Raises:
            PackageError: it is damaged, too large, or of another version.
        """
        try:
            if path.stat().st_size > MAX_BYTES:
                raise PackageError("The performance is too large.")
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
                return cls._of({name: found[name] for name in found.files})
        except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise PackageError(f"The performance cannot be read: {type(error).__name__}.") from error

    @classmethod
    def _of(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        told = json.loads(arrays["told"].tobytes())
        if told["version"] != VERSION:
            raise PackageError(f"The performance is of version {told['version']!r}; this is {VERSION}.")
        rest = tuple(_picture(arrays[f"rest_{at}"]) for at in range(told["rest"]))
        moved = {name.removeprefix("motion_"): arrays[name] for name in arrays if name.startswith("motion_")}
        idle = None
        if "idle_film" in arrays:
            idle = Idle(arrays["idle_film"].tobytes(), arrays["idle_loop"].tobytes())
        found = cls(
            pcm=arrays["pcm"],
            rate=told["rate"],
            voice=told["voice"],
            shapes=arrays["shapes"],
            motion=Motion(**moved),
            visemes=tuple(Viseme(int(each), float(a), float(b)) for each, a, b in arrays["visemes"]),
            cues=tuple(Cue(start_s, end_s, tuple(lines)) for start_s, end_s, lines in told["cues"]),
            units=tuple(told["units"]),
            scene=told["scene"],
            performer=Portrait(**told["performer"]),
            engine=told["engine"],
            rest=rest,
            scenes=tuple(_scene(each) for each in told["scenes"]),
            said=from_records(told["said"], arrays["said_pcm"]),
            idle=idle,
            fps=told["fps"],
        )
        found._check()
        return found

    def _check(self) -> None:
        rising = all(a < b for a, b in zip(self.units, self.units[1:], strict=False))
        if not self.rest or not self.units or self.units[0] != 0 or not rising:
            raise PackageError("The performance has no pictures or no sentences.")
        ends = [0, *(span.end for span in self.scenes)]
        if ends[:-1] != [span.first_frame for span in self.scenes] or ends[-1] != self.frames:
            raise PackageError("The performance's scenes do not cover it.")
        if len(self.motion) != self.frames or self.units[-1] >= self.frames:
            raise PackageError("The performance's parts are not of one length.")


def pack(
    spoken: Spoken,
    *,
    voice: Voice,
    scene: Mapping[str, Any],
    performer: Portrait,
    engine: str,
    rest: Sequence[Image],
    scenes: Sequence[SceneSpan],
    idle: Idle | None = None,
    subtitles: bool = True,
) -> Package:
    """The package of a script that was said."""
    performance = perform(spoken, subtitles=subtitles)
    return Package(
        pcm=spoken.speech.pcm,
        rate=spoken.speech.sample_rate,
        voice=voice.id,
        shapes=performance.shapes,
        motion=performance.motion,
        visemes=spoken.visemes,
        cues=tuple(performance.cues),
        units=_units(spoken),
        scene=scene,
        performer=performer,
        engine=engine,
        rest=tuple(rest),
        scenes=tuple(scenes),
        idle=idle,
        said=said(spoken.script.segments, spoken.sentences, voice=voice),
    )


def _units(spoken: Spoken) -> tuple[int, ...]:
    starts = np.cumsum([0, *(round(each.duration_s * FPS) for each in spoken.sentences)])[:-1]
    found = [0]
    for start in starts[1:]:
        if int(start) - LEAD_FRAMES > found[-1]:
            found.append(int(start) - LEAD_FRAMES)
    return tuple(found)


def _scene(record: Mapping[str, Any]) -> SceneSpan:
    layout = Layout(**{**record["layout"], "colour": tuple(record["layout"]["colour"])})
    return SceneSpan(**{**record, "layout": layout, "transition": Transition(record["transition"])})


def _parts(motion: Motion) -> dict[str, npt.NDArray[Any]]:
    return {name: getattr(motion, name) for name in motion.__slots__}


def _picture(data: npt.NDArray[np.uint8]) -> Image:
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if picture is None:
        raise PackageError("A picture of the performance cannot be read.")
    return np.asarray(picture, np.uint8)
