import time

import cv2
import numpy as np
import pytest

from tests.watermark import attacks
from watermark import c2pa
from watermark.c2pa import C2paState
from watermark.content import AGREES, similarity, thumbnail_track
from watermark.detect import MarkState, detect
from watermark.errors import DecodeLimitError, UnreadableError, UnsupportedFrameError
from watermark.frames import first_middle_last, spread, timed
from watermark.invisible import Profile
from watermark.metadata import AigcState, embed_label
from watermark.reading import residual
from watermark.search import Geometry


def looked_at(path, carriers, anchors="", **more):
    return detect(path, carriers=carriers, anchors_pem=anchors, **more)


@pytest.fixture(scope="module")
def marked_clip(clip, marked):
    return marked(clip(30, 720, 1280), Profile.STANDARD)


@pytest.fixture(scope="module")
def robust_clip(clip, marked):
    return marked(clip(30, 720, 1280), Profile.ROBUST)


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"\xff\xd8\xff\xe0",
        b"\0\0\0\x18ftypisom" + bytes(400),
        b"#EXTM3U\nhttp://example.org/a.ts\n",
    ],
    ids=range(5),
)
def test_file_that_is_no_picture_is_unreadable(tmp_path, carrier, data):
    path = tmp_path / "file.mp4"
    path.write_bytes(data)
    for carriers in ([carrier], []):
        with pytest.raises(UnreadableError):
            looked_at(path, carriers)


def test_missing_file_is_unreadable(tmp_path, carrier):
    with pytest.raises(UnreadableError):
        looked_at(tmp_path / "none.mp4", [carrier])


def test_cut_off_clip_is_unreadable(tmp_path, carrier, luma, muxed):
    path = muxed([luma(240, 320)] * 12, tmp_path / "a.mp4", movflags="+disable_chpl")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadableError):
        looked_at(path, [carrier])


def test_tags_in_another_encoding_do_not_hinder(tmp_path, carrier, luma, muxed):
    path = muxed([luma(240, 320)] * 3, tmp_path / "a.mp4", {"title": "T" * 12})
    path.write_bytes(path.read_bytes().replace(b"T" * 12, b"\xff\xfe" * 6))
    assert not looked_at(path, [carrier], budget_s=0.2).mark.mark_id


def test_playlist_is_not_followed(tmp_path, carrier, luma, muxed):
    muxed([luma(240, 320)] * 12, tmp_path / "a.mp4")
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises(UnreadableError):
        looked_at(path, [carrier])


def test_of_sound_alone_the_picture_is_not_searched(tmp_path, carrier):
    import av

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    found = looked_at(path, [carrier])
    assert (found.mark.state, found.sound.state) == (MarkState.NOT_RUN, MarkState.NOT_RUN)
    assert found.mark.reason.startswith("no picture")
    assert found.mark.complete


def test_picture_too_long_to_search_says_so(tmp_path, carrier):
    path = tmp_path / "long.png"
    cv2.imwrite(str(path), np.zeros((40, 900), np.uint8))
    mark = looked_at(path, [carrier]).mark
    assert mark.state is MarkState.NOT_RUN
    assert not mark.complete


def test_too_many_keys_for_the_bound_are_refused(tmp_path, carrier, luma, marked):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), marked([luma(360, 640)])[0])
    with pytest.raises(DecodeLimitError):
        looked_at(path, [carrier], max_decodes=0)


@pytest.mark.parametrize("more", [{"budget_s": 0}, {"budget_s": 0.05}, {"carriers": []}])
def test_without_time_or_keys_nothing_is_claimed(tmp_path, carrier, luma, more):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), luma(360, 640))
    found = detect(path, **{"carriers": [carrier], "anchors_pem": "", **more})
    assert found.mark.state is MarkState.NOT_RUN
    assert not found.mark.complete


# ---- what must work -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attack",
    {
        "none": (lambda y: y, 20),
        "crf 28": (lambda y: y, 28),
        "crop 75": (lambda y: attacks.cropped(y, 0.75), 23),
        "rotate 2": (lambda y: attacks.rotated(y, 2), 23),
        "mirror": (attacks.mirrored, 28),
    }.items(),
    ids=lambda item: item[0],
)
def test_id_is_read_from_an_altered_clip(tmp_path, carrier, marked_clip, muxed, mark_id, attack):
    change, crf = attack[1]
    changed = [change(y) for y in marked_clip]
    h, w = changed[0].shape
    planes = [np.ascontiguousarray(y[: h // 2 * 2, : w // 2 * 2]) for y in changed]
    mark = looked_at(muxed(planes, tmp_path / "a.mp4", crf=crf), [carrier]).mark
    assert (mark.state, mark.mark_id) == (MarkState.PRESENT, mark_id)
    assert mark.false_positive_bound < 1e-10


def test_robust_clip_survives_halving(tmp_path, carrier, robust_clip, muxed, mark_id):
    half = [attacks.resized(y, 0.5) for y in robust_clip]
    assert looked_at(muxed(half, tmp_path / "a.mp4", crf=23), [carrier]).mark.mark_id == mark_id


def test_unmarked_clip_says_absent_soon(tmp_path, carrier, clip, muxed):
    path, start = muxed(clip(12, 720, 1280), tmp_path / "a.mp4"), time.process_time()
    found = looked_at(path, [carrier], budget_s=120)
    assert time.process_time() - start < 15
    assert found.mark.state is MarkState.ABSENT
    assert found.mark.complete
    assert found.mark.decodes <= 48
    assert (found.c2pa.state, found.label.state) == (C2paState.ABSENT, AigcState.ABSENT)
    assert not found.conflict


def test_all_layers_of_a_picture_are_reported(
    tmp_path, carrier, luma, marked, manifest, chain, aigc, mark_id
):
    plain, sealed = tmp_path / "a.png", tmp_path / "b.png"
    encoded = cv2.imencode(".png", marked([luma(720, 1280)])[0])[1].tobytes()
    plain.write_bytes(embed_label(encoded, aigc))
    c2pa.sign(plain, sealed, manifest, chain.signer())
    found = looked_at(sealed, [carrier], chain.root_pem)
    assert (found.c2pa.state, found.c2pa.mark_id) == (C2paState.TRUSTED, mark_id)
    assert found.label.label == aigc
    assert found.mark.mark_id == mark_id
    assert found.mark.tenant == "bank-a"
    assert not found.conflict
    record = found.as_record()
    assert record["mark"]["mark_id"] == record["c2pa"]["mark_id"] == f"{mark_id:016x}"


def test_credential_of_another_output_is_a_conflict(tmp_path, carrier, luma, marked, manifest, chain):
    import dataclasses

    plain, sealed = tmp_path / "a.png", tmp_path / "b.png"
    cv2.imwrite(str(plain), marked([luma(720, 1280)])[0])
    c2pa.sign(plain, sealed, dataclasses.replace(manifest, mark_id=7), chain.signer())
    assert looked_at(sealed, [carrier], chain.root_pem).conflict


def test_frames_are_bounded_and_key_frames_come_first(tmp_path, luma, muxed):
    path = muxed([luma(240, 320)] * 120, tmp_path / "a.mp4")
    keys = [key for _, key, _ in spread(path, 20)]
    assert len(keys) == 20
    assert keys[:3] == [True, True, True]
    assert not any(keys[3:])


def test_first_middle_and_last_frame_are_those(tmp_path, muxed):
    planes = [np.full((240, 320), 20 + at, np.uint8) for at in range(100)]
    seen = [float(y.mean()) for y in first_middle_last(muxed(planes, tmp_path / "a.mp4", crf=5))]
    assert seen == pytest.approx([20, 70, 119], abs=1.5)


# ---- content ------------------------------------------------------------------------------------


def test_copied_mark_is_a_conflict_of_content(tmp_path, carrier, clip, marked_clip, luma, mark_id):
    """The mean of many frames, pasted on another picture, carries our id; the content does not agree."""
    track = thumbnail_track(enumerate(marked_clip))
    estimate = attacks.averaged([residual(y) for y in marked_clip])
    other = np.ascontiguousarray(cv2.GaussianBlur(np.rot90(luma(1280, 720), 1), (0, 0), 3))
    copied = attacks.pasted(other, estimate, 2.0)
    path = tmp_path / "copy.png"
    cv2.imwrite(str(path), copied)
    mark = looked_at(path, [carrier]).mark
    assert mark.mark_id == mark_id
    assert similarity(track, [copied], mark.geometry) < AGREES
    assert similarity(track, [marked_clip[20]], Geometry()) > 0.95


@pytest.mark.parametrize(
    "attack",
    {
        "crop": lambda y: attacks.cropped(y, 0.5),
        "rotate": lambda y: attacks.rotated(y, 4),
        "mirror": attacks.mirrored,
        "turn": lambda y: np.ascontiguousarray(np.rot90(y)),
        "half": lambda y: attacks.resized(y, 0.5),
        "brighter": lambda y: cv2.convertScaleAbs(y, alpha=1.25),
    }.items(),
    ids=lambda item: item[0],
)
def test_content_agrees_after_the_geometry_is_undone(tmp_path, carrier, luma, marked, mark_id, attack):
    frame = marked([luma(720, 1280)])[0]
    track = thumbnail_track([(0.0, frame)])
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), attack[1](frame))
    mark = looked_at(path, [carrier]).mark
    assert mark.mark_id == mark_id
    changed = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert similarity(track, [changed], mark.geometry) > 0.85
    assert similarity(track, [changed[::-1].copy()], mark.geometry) < AGREES


def test_one_thumbnail_a_second_is_kept(tmp_path, luma, muxed):
    path = muxed([luma(240, 320)] * 60, tmp_path / "a.mp4")
    track = thumbnail_track(timed(path, 0.25))
    assert [round(kept.second, 2) for kept in track] == [0.0, 1.0, 2.0]
    assert track[0].luma.shape == (120, 160)
    assert 0 < track[0].perceptual_hash < 2**64


@pytest.mark.parametrize(("track", "frames"), [(False, True), (True, False)])
def test_nothing_to_compare_is_refused(luma, track, frames):
    y = luma(240, 320)
    with pytest.raises(UnsupportedFrameError):
        similarity(thumbnail_track([(0.0, y)]) if track else [], [y] if frames else [], Geometry())
