"""A real person cut out, marked, encoded, joined and signed: what the file gives, over any background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from generation import formats, sealing, transparency
from generation.engine.errors import UnreadableMediaError
from generation.engine.look.matte import Matting
from generation.engine.media.alpha import AlphaWriter, over, read_covered
from generation.engine.media.encode import EncodeSettings, VideoWriter
from generation.engine.media.join import join
from generation.engine.media.probe import probe
from generation.engine.types import Image, Planes
from generation.engine.weights.registry import load_registry
from generation.errors import OutputFormatError
from generation.marking import Finisher, MarkPlan, drawn, measure_strength
from generation.presenter.scene import Layout, Plate, Stage, backdrop, plate_size
from generation.presenter.silhouette import firm
from generation.sealing import Sealed, SealOrder
from tests.generation.engine.conftest import grace_hopper, weights_dir  # noqa: F401  fixtures
from tests.generation.engine.media.makers import make_clip
from tests.generation.test_soundmark import talking
from watermark import c2pa
from watermark.credentials import make_chain
from watermark.errors import ContainerError, VisibleLabelLostError
from watermark.invisible import Carrier
from watermark.payload import MarkKeys
from watermark.placement import LabelPlan
from watermark.readback import check_mark
from watermark.visible import SEEN_MIN

LAYOUT = Layout(width_px=960, height_px=540, transparent=True)
FRAMES, SECONDS = 100, 4.0
PLAN = LabelPlan("AI生成")
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Made:
    """A sealed clip, what was drawn, and all that is needed to read it."""

    sealed: Sealed
    bare: list[Planes]
    plan: MarkPlan
    carrier: Carrier

    @property
    def path(self) -> Path:
        return self.sealed.path


@pytest.fixture(scope="module")
def person(grace_hopper: Image, weights_dir: Path) -> Plate:  # noqa: F811
    small = np.ascontiguousarray(resized(grace_hopper))
    matting = Matting(load_registry().entry("selfie"), weights_dir=weights_dir)
    return Plate(small, firm(small, matting.alpha(small)), np.zeros((468, 3), np.float32))


def resized(portrait: Image) -> Image:
    return np.asarray(
        cv2.resize(portrait, plate_size(portrait, LAYOUT), interpolation=cv2.INTER_AREA), np.uint8
    )


def frames(person: Plate) -> Iterator[Planes]:
    """The person sways."""
    stage = Stage(person, LAYOUT, backdrop(LAYOUT), moving=[])
    for number in range(FRAMES):
        roll = float(np.sin(number / 9))
        yield stage.planes(person.picture, roll_deg=roll, shift=(3 * roll, 0.0), time_s=number / 25)


@pytest.fixture(scope="module")
def made(person: Plate, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    source = folder / "sound.mp4"
    source.write_bytes(talking(SECONDS))
    bare, carrier = list(frames(person)), Carrier(MarkKeys(bytes(range(32)), "demo"))
    few = [copied(bare[at]) for at in (0, 25, 50, 75)]
    plan = measure_strength(few, size_px=(960, 540), carrier=carrier, label=PLAN)
    chunks = (folder / "0.webm", folder / "1.webm")
    for at, path in enumerate(chunks):
        finish = Finisher(plan, carrier)
        write(path, source, bare, range(50 * at, 50 * at + 50), finish)
        finish.write_track(path)
    order = SealOrder(
        chunks=chunks,
        footage=source,
        info=probe(source),
        marks=plan,
        carrier=carrier,
        produce_id="0b" * 16,
        credit_code="0" * 18,
        statement=c2pa.ConsentStatement("con_1", "likeness.local/audit", 41, "ab" * 32, "likeness.admit/1"),
        identity_commitment="1" * 64,
        driving_commitment="2" * 64,
        chain=make_chain("Bank", NOW),
        when=NOW,
        container="webm",
    )
    return Made(sealing.seal(order, folder=folder / "sealed"), bare, plan, carrier)


def copied(planes: Planes) -> Planes:
    assert planes.a is not None
    return Planes(planes.y.copy(), planes.u.copy(), planes.v.copy(), planes.a.copy())


def write(
    path: Path, source: Path, bare: list[Planes], numbers: range, finish: Any, spoil: Any = None
) -> None:
    info = replace(probe(source), time_base=Fraction(1, 25), width_px=960, height_px=540)
    with AlphaWriter(path, info=info, settings=EncodeSettings()) as writer:
        for number in numbers:
            planes = copied(bare[number])
            finish(planes, number, number / 25)
            if spoil:
                spoil(planes)
            writer.write(planes, number)


def spoilt(folder: Path, made: Made, spoil: Any) -> Path:
    """A second of the same clip, each frame changed after it was marked."""
    source = folder / "sound.mp4"
    source.write_bytes(talking(1.0))
    finish = Finisher(made.plan, made.carrier)
    write(folder / "0.webm", source, made.bare, range(25), finish, spoil)
    join([folder / "0.webm"], audio_from=None, out=folder / "out.webm", metadata={})
    return folder / "out.webm"


def see_through(planes: Planes) -> None:
    """The label is drawn, but stands where nothing is covered."""
    assert planes.a is not None
    planes.a[:90, -300:] = 0


def half_through(planes: Planes) -> None:
    """Over white, white letters are lost."""
    assert planes.a is not None
    planes.a[:90, -300:] = 60


@pytest.mark.parametrize("spoil", [see_through, half_through])
def test_a_label_that_is_drawn_but_not_covered_is_lost(tmp_path: Path, made: Made, spoil: Any) -> None:
    path, label = spoilt(tmp_path, made, spoil), drawn(made.plan)
    assert label is not None
    with pytest.raises(VisibleLabelLostError):
        transparency.check_label(path, label, duration_s=1.0)


def test_a_clip_without_a_cover_is_not_looked_at_twice(tmp_path: Path, made: Made) -> None:
    label = drawn(made.plan)
    assert label is not None
    with pytest.raises(UnreadableMediaError):
        transparency.check_label(make_clip(tmp_path / "a.mkv"), label, duration_s=1.0)


def test_a_mark_under_no_cover_alone_does_not_count(tmp_path: Path, made: Made) -> None:
    finisher = Finisher(made.plan, made.carrier)
    bare = replace(made.bare[0], a=np.zeros_like(made.bare[0].y))
    marked = copied(bare)
    finisher(marked, 0, 0.0)
    label = drawn(made.plan)
    assert label is not None
    x, y, width, height = label.rectangle
    changed = marked.y != bare.y
    changed[y : y + height, x : x + width] = False
    assert not changed.any()


@pytest.mark.parametrize(
    ("name", "transparent", "error"),
    [
        ("webm", False, OutputFormatError),
        ("mp4", True, OutputFormatError),
        ("mov", True, OutputFormatError),
        ("png", True, OutputFormatError),
        ("avi", True, ContainerError),
    ],
)
def test_containers_that_are_not_offered(name: str, transparent: bool, error: type[Exception]) -> None:
    with pytest.raises(error):
        formats.container(name, still=False, transparent=transparent)


@pytest.mark.parametrize("name", ["", "webm"])
def test_what_is_transparent_is_webm(name: str) -> None:
    assert formats.container(name, still=False, transparent=True) == "webm"
    assert (formats.mime("webm"), formats.suffix("video/webm")) == ("video/webm", "webm")
    assert not formats.holds_xmp("webm")
    assert not formats.holds_credential("webm")


def test_the_cover_of_a_real_person_comes_back(made: Made) -> None:
    label = drawn(made.plan)
    assert label is not None
    errors = []
    for (_, found), bare in zip(read_covered(made.path), made.bare, strict=True):
        wanted = copied(bare).a
        assert found.a is not None
        assert wanted is not None
        label.cover(wanted)
        errors.append(np.abs(found.a / 255.0 - wanted / 255.0).mean())
    assert np.mean(errors) <= 0.02


def test_the_sealed_file_gives_every_mark(made: Made) -> None:
    sealed = made.sealed
    assert (sealed.mime, sealed.credential, made.path.suffix) == ("video/webm", "beside", ".webm")
    assert set(sealed.marks) == {"visible", "invisible", "sound", "aigc", "c2pa"}
    assert sealed.mark_z > 6
    label = drawn(made.plan)
    assert label is not None
    assert min(transparency.check_label(made.path, label, duration_s=SECONDS)) >= SEEN_MIN


@pytest.mark.parametrize("level", [transparency.BLACK, transparency.WHITE])
def test_the_mark_survives_being_laid_over_a_page(made: Made, tmp_path: Path, level: int) -> None:
    info = replace(probe(made.path), time_base=Fraction(1, 25))
    with VideoWriter(tmp_path / "page.mp4", info=info, settings=EncodeSettings(crf=23)) as writer:
        for number, (_, planes) in enumerate(islice(read_covered(made.path), 25)):
            writer.write(over(planes, luma=level), number)
    found = check_mark(tmp_path / "page.mp4", carriers=[made.carrier], mark_id=made.plan.mark_id)
    assert found.z > 6


def test_the_small_picture_shows_plain_grey_behind_the_person(made: Made) -> None:
    picture = transparency.picture_at(made.path, 2.0)
    corner = picture[200:300, :60].astype(int)
    assert np.ptp(corner) <= 6
    assert abs(corner.mean() - 191) < 6
