"""Marks on frames, the order of sealing, and what is not delivered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from generation import formats, planner, sealing
from generation.engine.errors import MediaError
from generation.engine.media.chunks import whole
from generation.engine.media.colour import to_planes
from generation.engine.media.decode import frames_at, read_frames
from generation.engine.media.encode import EncodeSettings, open_writer
from generation.engine.media.info import MediaInfo, MediaLimits
from generation.engine.media.probe import probe
from generation.engine.types import Image
from generation.errors import OutputFormatError, SealError
from generation.marking import Finisher, MarkPlan, drawn, unpacked
from generation.sealing import SealOrder
from tests.generation import fakes
from tests.generation.conftest import colour_clip
from watermark import profiles
from watermark.c2pa import C2paState, ConsentStatement, ManifestInput
from watermark.c2pa import read as read_credential
from watermark.c2pa import sign as sign_credential
from watermark.credentials import make_chain
from watermark.errors import (
    ContainerError,
    MarkUnreadableError,
    UnsupportedFrameError,
    VisibleLabelLostError,
    WatermarkError,
)
from watermark.invisible import Carrier
from watermark.metadata import AigcLabel, SourceType, read_label
from watermark.payload import MarkKeys
from watermark.profiles import Nature, Output
from watermark.visible import SEEN_MIN

NOW = datetime.now(UTC)
OTHERS = AigcLabel("1", "0011" + "0" * 18 + "1OTHR", "theirs-1").to_json()
LAW = profiles.require(profiles.CN, Output(Nature.MODIFIED, sound=True))


def shown(path: Path, info: MediaInfo) -> Iterator[Image]:
    """What marks are planned by."""
    return (frame.picture for frame in frames_at(path, info, planner.sample_times(info)))


@pytest.fixture(scope="module")
def carrier() -> Carrier:
    return Carrier(MarkKeys(bytes(range(32)), "demo"))


@pytest.fixture(scope="module")
def chain() -> object:
    return make_chain("Bank", NOW)


@pytest.fixture
def footage(tmp_path: Path) -> tuple[Path, MediaInfo]:
    path = tmp_path / "footage.mp4"
    path.write_bytes(colour_clip(fakes.GREEN))
    return path, probe(path, MediaLimits())


def render(path: Path, info: MediaInfo, out: Path, finish: object) -> None:
    """The pass without faces: decode, finish, encode."""
    with open_writer(out, info=info, settings=EncodeSettings()) as writer:
        for frame in read_frames(path, info, whole(info)):
            planes = to_planes(frame.picture)
            if callable(finish):
                finish(planes, frame.index, frame.time_s)
            writer.write(planes, frame.pts)


@pytest.fixture
def order(tmp_path: Path, footage: tuple[Path, MediaInfo], carrier: Carrier, chain: object) -> SealOrder:
    path, info = footage
    plan = planner.marks(shown(path, info), info, carrier=carrier, requirement=LAW)
    chunk = tmp_path / "00000-1.mp4"
    finish = Finisher(plan, carrier)
    render(path, info, chunk, finish)
    finish.write_track(chunk)
    return SealOrder(
        chunks=(chunk,),
        footage=path,
        info=info,
        marks=plan,
        carrier=carrier,
        produce_id="0b" * 16,
        credit_code="0" * 18,
        statement=ConsentStatement("con_1", "likeness.local/audit", 41, "ab" * 32, "likeness.admit/1"),
        identity_commitment="1" * 64,
        driving_commitment="2" * 64,
        chain=chain,  # type: ignore[arg-type]  # a fixture
        when=NOW,
    )


def with_label(path: Path, text: str) -> None:
    """The footage, as a tool that labels its output writes it."""
    out = path.with_suffix(".labelled.mp4")
    options = {"movflags": "use_metadata_tags"}
    with av.open(str(path)) as source, av.open(str(out), "w", format="mp4", options=options) as target:
        target.metadata["AIGC"] = text
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    out.replace(path)


@pytest.mark.parametrize(
    ("text", "state", "kept"),
    [
        (OTHERS, "present", OTHERS),
        ('{"Label":"1"}', "malformed", ""),
        ('{"Label":"1","ContentProducer":"' + "x" * 70_000 + '","ProduceID":"i"}', "malformed", ""),
    ],
    ids=["sound", "broken", "too long"],
)
def test_a_label_of_the_footage_is_kept_as_provenance_and_replaced(
    order: SealOrder, tmp_path: Path, text: str, state: str, kept: str
) -> None:
    with_label(order.footage, text)
    sealed = sealing.seal(order, folder=tmp_path / "sealed")
    assert (sealed.input.aigc_state, sealed.input.aigc) == (state, kept)
    assert read_credential(sealed.path, order.chain.root_pem).input == sealed.input
    assert read_label(sealed.path).text == order.aigc.to_json()


def test_a_credential_of_the_footage_is_carried_on(order: SealOrder, tmp_path: Path) -> None:
    camera, signed = make_chain("Camera Maker", NOW), order.footage.with_suffix(".signed.mp4")
    said = ManifestInput("clip", 7, order.statement, NOW)
    sign_credential(order.footage, signed, said, camera.signer())
    sealed = sealing.seal(replace(order, footage=signed), folder=tmp_path / "sealed")
    assert (sealed.input.credential, sealed.input.signer) == ("Valid", "Likeness Claim Signer")
    found = read_credential(sealed.path, order.chain.root_pem)
    assert (found.state, found.mark_id) == (C2paState.TRUSTED, order.marks.mark_id)


def test_the_poster_is_labelled_too(order: SealOrder, tmp_path: Path) -> None:
    sealed = sealing.seal(order, folder=tmp_path / "sealed")
    poster = tmp_path / "poster.jpg"
    poster.write_bytes(sealed.poster)
    assert read_label(poster).text == order.aigc.to_json()
    label = drawn(order.marks)
    assert label is not None
    assert label.check(cv2.imread(str(poster), cv2.IMREAD_GRAYSCALE)) > SEEN_MIN
    poster.write_bytes(sealed.before)
    assert read_label(poster).text == ""


def test_a_label_of_the_opening_is_on_the_poster(order: SealOrder, tmp_path: Path) -> None:
    """Frames from 0.2 s on are as if they had none: the poster is of the first."""
    assert order.marks.label is not None
    short = replace(order.marks, label=replace(order.marks.label, opening_s=0.2))
    render(order.footage, order.info, order.chunks[0], finish := Finisher(short, order.carrier))
    finish.write_track(order.chunks[0])
    sealed = sealing.seal(replace(order, marks=short), folder=tmp_path / "sealed")
    poster = cv2.imdecode(np.frombuffer(sealed.poster, np.uint8), cv2.IMREAD_GRAYSCALE)
    label = drawn(short)
    assert label is not None
    assert label.check(poster) > SEEN_MIN


def test_a_sealed_file_carries_every_mark(order: SealOrder, tmp_path: Path) -> None:
    sealed = sealing.seal(order, folder=tmp_path / "sealed")
    assert sealed.sha256 == hashlib.sha256(sealed.path.read_bytes()).hexdigest()
    assert sealed.size_bytes == sealed.path.stat().st_size
    label = read_label(sealed.path)
    assert label.label is not None
    assert (label.label.produce_id, label.label.reserved_code1) == ("0b" * 16, "likeness.local/audit#41")
    credential = read_credential(sealed.path, order.chain.root_pem)
    assert credential.state is C2paState.TRUSTED
    assert credential.statement == order.statement
    assert credential.mark_id == order.marks.mark_id
    assert min(sealed.label_seen) > 0.8
    assert [path.name for path in (tmp_path / "sealed").iterdir()] == ["output.mp4"]
    assert len(unpacked(sealed.content)) == 1


def test_the_log_entry_of_the_decision_is_inside_the_credential(order: SealOrder, tmp_path: Path) -> None:
    sealed = sealing.seal(order, folder=tmp_path / "sealed")
    read = read_credential(sealed.path, order.chain.root_pem).statement
    assert read is not None
    assert (read.leaf, read.leaf_hash, read.consent) == (41, "ab" * 32, "con_1")


class NoLabel:
    """Draws nothing."""

    def blend(self, *_: object) -> None:
        return


@pytest.mark.parametrize("fault", ["no marks", "other id", "no label"])
def test_a_file_without_its_marks_is_not_sealed(
    order: SealOrder, tmp_path: Path, carrier: Carrier, fault: str
) -> None:
    plan = order.marks
    unlabelled = Finisher(plan, carrier)
    unlabelled._label = NoLabel()  # type: ignore[assignment]  # as if the drawing had failed
    finish = {
        "no marks": None,
        "other id": Finisher(replace(plan, mark_id=plan.mark_id ^ 1), carrier),
        "no label": unlabelled,
    }[fault]
    render(order.footage, order.info, order.chunks[0], finish)
    with pytest.raises(VisibleLabelLostError if fault == "no label" else WatermarkError):
        sealing.seal(order, folder=tmp_path / "sealed")
    assert not (tmp_path / "sealed").exists()


def test_another_tenants_keys_do_not_read_the_mark(order: SealOrder, tmp_path: Path) -> None:
    other = Carrier(MarkKeys(bytes(range(32)), "other"))
    with pytest.raises(MarkUnreadableError):
        sealing.seal(replace(order, carrier=other), folder=tmp_path / "sealed")


def test_a_missing_chunk_is_named(order: SealOrder, tmp_path: Path) -> None:
    order.chunks[0].unlink()
    with pytest.raises(SealError, match=r"00000-1\.mp4"):
        sealing.seal(order, folder=tmp_path / "sealed")
    with pytest.raises(SealError):
        sealing.seal(replace(order, chunks=()), folder=tmp_path / "sealed")


def test_a_broken_chunk_leaves_nothing(order: SealOrder, tmp_path: Path) -> None:
    order.chunks[0].write_bytes(order.chunks[0].read_bytes()[:200])
    with pytest.raises(MediaError):
        sealing.seal(order, folder=tmp_path / "sealed")
    assert not (tmp_path / "sealed").exists()


def test_the_mark_has_one_strength_for_all_chunks(order: SealOrder, carrier: Carrier) -> None:
    record = order.marks.as_record()
    assert "mark_id" not in record
    assert MarkPlan.from_record(record, mark_hex=order.marks.mark_hex) == order.marks
    assert order.marks.strength > 0


def test_two_plans_have_two_ids(footage: tuple[Path, MediaInfo], carrier: Carrier) -> None:
    path, info = footage
    ids = {planner.marks(shown(path, info), info, carrier=carrier, requirement=LAW).mark_id for _ in range(3)}
    assert len(ids) == 3


def test_a_picture_that_cannot_carry_the_mark_is_refused_at_planning(
    tmp_path: Path, carrier: Carrier
) -> None:
    path = tmp_path / "thin.mp4"
    frames = [fakes.texture(fakes.GREEN, width=1280, height=240)] * 2
    from tests.generation.conftest import encode_clip

    path.write_bytes(encode_clip(frames, sound=False))
    info = probe(path, MediaLimits())
    with pytest.raises(UnsupportedFrameError):
        planner.marks(shown(path, info), info, carrier=carrier, requirement=LAW)


def test_a_picture_is_sealed_as_png(tmp_path: Path, carrier: Carrier, order: SealOrder) -> None:
    path = tmp_path / "footage.png"
    path.write_bytes(fakes.portrait(fakes.GREEN))
    info = probe(path, MediaLimits())
    plan = planner.marks(shown(path, info), info, carrier=carrier, requirement=LAW)
    chunk, finish = tmp_path / "00000-1.png", Finisher(plan, carrier)
    render(path, info, chunk, finish)
    finish.write_track(chunk)
    sealed = sealing.seal(
        replace(order, chunks=(chunk,), footage=path, info=info, marks=plan), folder=tmp_path / "sealed"
    )
    assert sealed.mime == "image/png"
    assert read_label(sealed.path).label is not None
    assert read_credential(sealed.path, order.chain.root_pem).state is C2paState.TRUSTED
    assert sealed.label_seen
    unlabelled = Finisher(plan, carrier)
    unlabelled._label = NoLabel()  # type: ignore[assignment]  # as if the drawing had failed
    render(path, info, chunk, unlabelled)
    with pytest.raises(VisibleLabelLostError):
        sealing.seal(
            replace(order, chunks=(chunk,), footage=path, info=info, marks=plan), folder=tmp_path / "sealed"
        )


@pytest.mark.parametrize(("suffix", "mime"), [("mov", "video/quicktime"), ("mkv", "video/x-matroska")])
def test_a_clip_is_sealed_in_another_container(
    order: SealOrder, tmp_path: Path, suffix: str, mime: str
) -> None:
    sealed = sealing.seal(replace(order, container=suffix), folder=tmp_path / "sealed")
    assert (sealed.mime, sealed.path.suffix) == (mime, f".{suffix}")
    assert read_label(sealed.path).text == order.aigc.to_json()
    beside = sealed.manifest if suffix == "mkv" else None
    found = read_credential(sealed.path, order.chain.root_pem, store=beside)
    assert (found.state, found.mark_id) == (C2paState.TRUSTED, order.marks.mark_id)
    assert len(sealed.label_seen) == 3
    assert sealed.credential == ("beside" if suffix == "mkv" else "inside")
    assert (SourceType.COMPOSITE.encode() in sealed.path.read_bytes()) == (suffix == "mov")


def test_a_picture_is_sealed_as_jpeg(tmp_path: Path, carrier: Carrier, order: SealOrder) -> None:
    path = tmp_path / "footage.png"
    path.write_bytes(fakes.portrait(fakes.GREEN))
    info = probe(path, MediaLimits())
    plan = planner.marks(shown(path, info), info, carrier=carrier, requirement=LAW)
    chunk, finish = tmp_path / "00000-1.png", Finisher(plan, carrier)
    render(path, info, chunk, finish)
    finish.write_track(chunk)
    picture = replace(order, chunks=(chunk,), footage=path, info=info, marks=plan, container="jpg")
    sealed = sealing.seal(picture, folder=tmp_path / "sealed")
    assert sealed.mime == "image/jpeg"
    assert sealed.path.read_bytes()[:3] == b"\xff\xd8\xff"
    assert read_label(sealed.path).label is not None
    assert read_credential(sealed.path, order.chain.root_pem).state is C2paState.TRUSTED


@pytest.mark.parametrize(
    ("name", "still", "error"),
    [
        ("avi", False, ContainerError),
        ("gif", True, ContainerError),
        ("../mp4", False, ContainerError),
        ("webm", False, OutputFormatError),
        ("wav", False, OutputFormatError),
        ("png", False, OutputFormatError),
        ("mp4", True, OutputFormatError),
    ],
)
def test_an_output_that_cannot_be_is_refused_by_name(name: str, still: bool, error: type[Exception]) -> None:
    with pytest.raises(error):
        formats.container(name, still=still)


def test_every_container_that_is_offered_has_a_type_and_a_name() -> None:
    assert (formats.container("", still=False), formats.container("", still=True)) == ("mp4", "png")
    for name in (*formats.CLIPS, *formats.PICTURES):
        assert formats.suffix(formats.mime(name)) == name
    assert formats.suffix("text/html") == "bin"


def test_small_pictures_are_small() -> None:
    data = sealing.small_jpeg(np.zeros((1080, 1920, 3), np.uint8))
    assert data[:2] == b"\xff\xd8"
    assert len(data) < 20_000
