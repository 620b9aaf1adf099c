"""The marks that are compared: ours in two strengths, and the two of invisible-watermark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from generation.engine.media.colour import from_planes, to_planes
from tests.bench import peer
from tests.bench.attacks.clips import decode
from tests.bench.attacks.content import as_shown
from watermark.detect import read_mark
from watermark.invisible import Carrier, Embedder, Profile
from watermark.payload import MarkKeys
from watermark.search import Tally

MARK_ID = 0x9F3C6A1B22D0E417
BUDGET_S = 60.0
VOTING_FRAMES = 6  # the peer reads single frames; their bits are voted on
Image = np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What a reader made of an attacked file."""

    exact: bool
    z: float = 0.0
    accuracy: float = 0.0
    """Share of the bits, for the readers that give bits."""
    seconds: float = 0.0
    decodes: int = 0


class Mark(Protocol):
    """Something that marks pictures and clips and reads them again."""

    name: str
    frames: int
    """How many frames of a clip it is given: the peer is slow and reads one at a time anyway."""

    def marked(self, frames: Iterable[Image], fps: float) -> Iterator[Image]:
        """The frames of one clip (a picture is a clip of one), marked."""
        ...

    def unmarked(self, frame: Image) -> Image:
        """A frame that went the same way without the mark."""
        ...

    def read(self, path: Path) -> Outcome:
        """Read a PNG or MP4 file."""
        ...


class Ours:
    """TileMark, through the planes that the product marks and the reader that ``trace`` uses."""

    def __init__(self, profile: Profile, frames: int = 48) -> None:
        self.profile, self.frames = profile, frames
        self.name = {"standard": "ours 46 dB", "robust": "ours 44 dB"}[profile.value]
        self.carrier = Carrier(MarkKeys(bytes(range(32)), "bank-a"))

    def marked(self, frames: Iterable[Image], fps: float) -> Iterator[Image]:
        """One strength for the whole clip, from five of its frames."""
        clip = [to_planes(frame) for frame in frames]
        embedder = self.embedder(*clip[0].y.shape)
        embedder.servo([planes.y for planes in clip[:: -(-len(clip) // 5)]])
        for at, planes in enumerate(clip):
            embedder.embed(planes.y, at / fps)
            yield from_planes(planes)

    def unmarked(self, frame: Image) -> Image:
        """Through the planes and back."""
        return as_shown(frame)

    def embedder(self, height: int, width: int) -> Embedder:
        """An embedder of this profile."""
        return Embedder(self.carrier, MARK_ID, height=height, width=width, profile=self.profile)

    def read(self, path: Path) -> Outcome:
        """As ``trace`` does, with time enough."""
        found = read_mark(path, carriers=[self.carrier], tally=Tally(budget_s=BUDGET_S))
        return Outcome(found.mark_id == MARK_ID, found.z, 0.0, found.seconds, found.decodes)


class Theirs:
    """invisible-watermark at its default strength: 64 bits, no code, no search."""

    def __init__(self, package: Any, method: str, frames: int = 8) -> None:
        self.package, self.name, self.frames = package, method, frames
        self.bits = np.unpackbits(np.frombuffer(MARK_ID.to_bytes(8, "big"), np.uint8))

    def marked(self, frames: Iterable[Image], fps: float) -> Iterator[Image]:
        """Each frame by itself."""
        del fps
        for frame in frames:
            yield peer.embed(self.package, frame, self.bits, self.name)

    def unmarked(self, frame: Image) -> Image:
        """It marks the frame itself."""
        return frame

    def read(self, path: Path) -> Outcome:
        """The bits of the first frames, voted on."""
        frames = [cv2.imread(str(path))] if path.suffix == ".png" else list(decode(path, VOTING_FRAMES))
        if frames[0].shape[0] * frames[0].shape[1] < 256 * 256:
            return Outcome(False, accuracy=0.5)  # it refuses pictures that small
        votes = np.mean([peer.decode(self.package, f, len(self.bits), self.name) for f in frames], axis=0)
        accuracy = float(((votes >= 0.5) == self.bits).mean())
        return Outcome(accuracy == 1.0, accuracy=accuracy)


def all_marks() -> list[Mark]:
    """Ours, and the peer's where it is installed."""
    package = peer.load()
    marks: list[Mark] = [Ours(Profile.STANDARD), Ours(Profile.ROBUST)]
    if package is not None:
        marks += [Theirs(package, method) for method in peer.METHODS]
    return marks
