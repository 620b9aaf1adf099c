"""Several scenes: what is no list of them, whose words are whose, where each is, and how they follow."""

# ruff: noqa: ARG002  engines of a test take what the real ones take

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from generation.engine.media.probe import probe
from generation.engine.types import Planes
from generation.presenter import scenes, storyboard
from generation.presenter.behind import Backdrop, Before
from generation.presenter.driving import Performance
from generation.presenter.errors import SceneError, ScenesInvalidError, ScriptError
from generation.presenter.line import Spoken, perform, speak
from generation.presenter.normalise import Language
from generation.presenter.scene import Layout, Plate
from generation.presenter.scenes import Part
from generation.presenter.script import Kind
from generation.presenter.speech import Voice
from generation.presenter.storyboard import SceneSpec, Transition, parse
from tests.generation.presenter.tones import ToneEngine

FPS = 25
MEDIA = "0f8fad5b-d9cb-469f-a165-70867728950e"
GOOD = {"script": "您好。"}
LAYOUT = Layout(320, 240)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (None, "scenes"),
        ([], "scenes"),
        ({"script": "x"}, "scenes"),
        ([GOOD] * 21, "scenes"),
        (["您好。"], "scenes.0"),
        ([{}], "scenes.0.script"),
        ([{"script": "  "}], "scenes.0.script"),
        ([{"script": 7}], "scenes.0.script"),
        ([GOOD, {**GOOD, "musik": "x"}], "scenes.1.musik"),
        ([GOOD, {**GOOD, "position": "left"}], "scenes.1.position"),
        ([GOOD, {**GOOD, "layout": {"z": 1}}], "scenes.1.layout.z"),
        ([{**GOOD, "layout": "left"}], "scenes.0.layout"),
        ([{**GOOD, "layout": {"position": "above"}}], "scenes.0.layout.position"),
        ([{**GOOD, "layout": {"size": 3}}], "scenes.0.layout.size"),
        ([{**GOOD, "layout": {"size": True}}], "scenes.0.layout.size"),
        ([{**GOOD, "layout": {"size": float("nan")}}], "scenes.0.layout.size"),
        ([{**GOOD, "colour": "red"}], "scenes.0.colour"),
        ([{**GOOD, "background": "../x.png"}], "scenes.0.background"),
        ([{**GOOD, "transition": "fade", "fade_frames": 6}], "scenes.0.transition"),
        ([GOOD, {**GOOD, "transition": "wipe"}], "scenes.1.transition"),
        ([GOOD, {**GOOD, "transition": ["fade"]}], "scenes.1.transition"),
        ([GOOD, {**GOOD, "transition": "fade"}], "scenes.1.fade_frames"),
        ([GOOD, {**GOOD, "transition": "fade", "fade_frames": 13}], "scenes.1.fade_frames"),
        ([GOOD, {**GOOD, "transition": "fade", "fade_frames": 6.5}], "scenes.1.fade_frames"),
        ([GOOD, {**GOOD, "fade_frames": 6}], "scenes.1.fade_frames"),
    ],
)
def test_what_is_no_list_of_scenes_is_refused_by_field(document: Any, field: str) -> None:
    with pytest.raises(ScenesInvalidError) as raised:
        parse(document)

    assert set(raised.value.fields) == {field}


def test_a_scene_says_only_what_it_changes() -> None:
    whole = {
        "script": "再见。",
        "layout": {"position": "left", "size": 1},
        "colour": "#102030",
        "background": MEDIA,
        "transition": "fade",
        "fade_frames": 12,
    }

    assert parse([GOOD, whole]) == (
        SceneSpec("您好。"),
        SceneSpec("再见。", storyboard.Position.LEFT, 1.0, "#102030", MEDIA, Transition.FADE, 12),
    )


def test_words_of_scenes_are_one_script_with_their_own_places() -> None:
    sources = ("您好！欢迎", "<余额为¥5。", "再见。")
    script, counts = storyboard.read_scenes(sources, language=Language.ZH)

    assert script.text == "您好！欢迎\n\n<余额为¥5。\n\n再见。"
    assert counts == (2, 1, 1)
    spoken = [script.text[each.start : each.end] for each in script.segments]
    assert spoken == ["您好！", "欢迎", "<余额为¥5。", "再见。"]
    records = storyboard.as_records([SceneSpec(each) for each in sources], counts)
    assert "script" not in records[0]
    assert storyboard.sources_of(records, script.text) == sources
    with pytest.raises(SceneError):
        storyboard.sources_of(records, script.text + "！")


def test_markup_is_read_scene_by_scene_and_an_error_names_its_scene() -> None:
    good = "<speak>您好。</speak>"
    script, _ = storyboard.read_scenes((good, good), language=Language.ZH, kind=Kind.SSML)
    assert [each.spoken for each in script.segments] == ["您好。", "您好。"]

    with pytest.raises(ScriptError, match="Scene 2: "):
        storyboard.read_scenes((good, "<speak><audio/></speak>"), language=Language.ZH, kind=Kind.SSML)
    with pytest.raises(ScriptError, match="Scene 2: ") as raised:
        storyboard.read_scenes(("您好。", "还款¥12,34.5"), language=Language.ZH)
    assert raised.value.start >= len("您好。\n\n")
    with pytest.raises(ScriptError, match="of at most"):
        storyboard.read_scenes(("好" * 15_000, "好" * 15_000), language=Language.ZH)


# ---- in time


def said(*specs: SceneSpec) -> tuple[list[dict[str, Any]], Spoken]:
    script, counts = storyboard.read_scenes([each.script for each in specs], language=Language.ZH)
    return storyboard.as_records(specs, counts), speak(script, engine=ToneEngine(), voice=Voice("x"))


FADED = SceneSpec("再见。", transition=Transition.FADE, fade_frames=6, colour="#102030")


def test_spans_cover_every_frame_once_and_keep_what_they_do_not_change() -> None:
    records, spoken = said(SceneSpec("您好。欢迎。", size=0.5, position=storyboard.Position.RIGHT), FADED)
    base = replace(LAYOUT, height_share=0.8, centre=0.4)

    first, second = scenes.spans(records, spoken, base, fps=FPS)

    assert (first.first_frame, first.end, second.end) == (0, second.first_frame, len(spoken.shapes))
    border = sum(each.duration_s for each in spoken.sentences[:2])
    assert second.first_frame == round(border * FPS)
    assert (first.layout.centre, first.layout.height_share, first.own_background) == (0.7, 0.5, False)
    assert (second.layout.centre, second.layout.height_share) == (0.4, 0.8)
    assert second.layout.colour == (0x30, 0x20, 0x10)
    assert (second.shows_from, second.own_background) == (second.first_frame - 6, True)
    with pytest.raises(SceneError, match="sentences"):
        scenes.spans([{**records[0], "sentences": 1}, records[1]], spoken, base, fps=FPS)


class Flat:
    """Frames of one grey; remembers what it was asked for."""

    name, needs_gpu = "flat", False

    def __init__(self, grey: int, missing: int = 0) -> None:
        self.grey, self.missing, self.ages, self.frames_made = grey, missing, [], 0
        self.seen: list[Performance] = []

    def __call__(self, at: int) -> Flat:
        self.ages.append(at)
        return self

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        self.seen.append(performance)
        for _ in range(len(performance.shapes) - self.missing):
            self.frames_made += 1
            height, width = layout.height_px, layout.width_px
            half = np.full((height // 2, width // 2), 128, np.uint8)
            cover = np.full((height, width), 255 if self.grey % 2 else 0, np.uint8)
            opaque = None if not layout.transparent else cover
            yield Planes(np.full((height, width), self.grey, np.uint8), half, half, opaque)


PLATE = Plate(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.float32), np.zeros((468, 3), np.float32))


def test_scenes_are_cut_or_fade_in_the_rest_before_the_border() -> None:
    records, spoken = said(SceneSpec("您好。"), FADED, SceneSpec("完。"))
    found = scenes.spans(records, spoken, LAYOUT, fps=FPS)
    engines = [Flat(20), Flat(160), Flat(90)]
    performance = perform(spoken)
    parts = [Part(span, engine, PLATE) for span, engine in zip(found, engines, strict=True)]

    greys = [int(planes.y[0, 0]) for planes in scenes.film(parts, performance, fps=FPS)]

    border, cut = found[1].first_frame, found[2].first_frame
    assert greys[: border - 6] == [20] * (border - 6)
    assert greys[border - 6 : border] == [40, 60, 80, 100, 120, 140]
    assert greys[border:] == [160] * (cut - border) + [90] * (len(performance.shapes) - cut)
    assert (
        np.abs(performance.shapes[border - 6 : border, 0]).max() < 0.2
    )  # the jaw rests, or begins to prepare
    assert [engine.ages for engine in engines] == [[0], [0], [0]]
    np.testing.assert_array_equal(engines[1].seen[0].shapes, performance.shapes[border - 6 : cut])
    assert engines[1].seen[0].cues[-1].start_s == pytest.approx(
        performance.cues[1].start_s - (border - 6) / FPS
    )
    # any window is the same frames: chunks are made apart from each other
    for first in (border - 3, border - 6, border, cut):
        part = scenes.film(parts, performance, fps=FPS, first=first, frames=7)
        assert [int(planes.y[0, 0]) for planes in part] == greys[first : first + 7]
    assert engines[1].ages[1:4] == [3, 0, 6]


def test_memory_does_not_grow_and_a_short_engine_is_an_error() -> None:
    records, spoken = said(SceneSpec("您好。"), FADED)
    found = scenes.spans(records, spoken, LAYOUT, fps=FPS)
    engines = [Flat(20), Flat(160)]
    parts = [Part(span, engine, PLATE) for span, engine in zip(found, engines, strict=True)]
    film = scenes.film(parts, perform(spoken), fps=FPS)
    for _ in range(5):
        next(film)
    assert (engines[0].frames_made, engines[1].frames_made) == (5, 0)  # nothing is drawn ahead

    with pytest.raises(SceneError, match="too few frames"):
        list(scenes.film([parts[0], Part(found[1], Flat(1, missing=1), PLATE)], perform(spoken), fps=FPS))
    for wrong in (parts[:1], parts[1:], parts[::-1], []):
        with pytest.raises(SceneError):
            next(scenes.film(wrong, perform(spoken), fps=FPS))
    late = [parts[0], Part(replace(found[1], fade_frames=found[0].frames), engines[1], PLATE)]
    with pytest.raises(SceneError):
        next(scenes.film(late, perform(spoken), fps=FPS))


# ---- a video behind the person


@pytest.fixture
def clip(tmp_path: Path) -> Backdrop:
    """Five frames at 12.5 a second, each of another grey."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as made:
        stream = made.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for at in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 40 * at + 20, np.uint8), "bgr24")
            frame.pts = 2 * at
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    path = tmp_path / "behind.mp4"
    path.write_bytes(out.getvalue())
    return Backdrop(path, probe(path))


def greys(frames: Iterator[Planes], count: int) -> list[int]:
    return [
        round((int(planes.y[8, 8]) - 16) / 219 * 255 / 20) * 20
        for planes, _ in zip(frames, range(count), strict=False)
    ]


def test_a_video_behind_begins_again_and_goes_on_where_a_chunk_does(clip: Backdrop) -> None:
    layout = Layout(320, 240)
    loop = [20, 20, 60, 60, 100, 100, 140, 140, 180]
    found = greys(clip.planes(layout, fps=FPS), 25)

    length = 10 if found[9] == 180 else 9  # how long the last frame stays is the container's to say
    whole = ([*loop, 180] if length == 10 else loop) * 3
    assert found == whole[:25]
    assert greys(clip.since(5).planes(layout, fps=FPS), 20) == whole[5:25]
    assert greys(clip.since(3 * length + 4).planes(layout, fps=FPS), 6) == whole[4:10]


@pytest.mark.parametrize("fps", [25, 5])
def test_what_is_judged_of_a_video_is_what_is_drawn(clip: Backdrop, fps: int) -> None:
    judged = [(int(picture[8, 8, 0]), frames) for picture, frames in clip.shown(fps=fps)]
    drawn = [grey for grey, frames in judged for _ in range(frames)]
    assert len(judged) == (5 if fps == 25 else 2)
    assert greys(clip.planes(Layout(320, 240), fps=fps), len(drawn)) == [20 * round(g / 20) for g in drawn]


def test_a_person_stands_before_a_video(clip: Backdrop) -> None:
    records, spoken = said(SceneSpec("您好。"))
    span = scenes.spans(records, spoken, LAYOUT, fps=FPS)[0]

    def shown(grey: int) -> list[int]:
        part = Part(span, lambda at: Before(Flat(grey), clip.since(at)), PLATE)
        return [int(planes.y[9, 9]) for planes in scenes.film([part], perform(spoken), fps=FPS, frames=4)]

    assert shown(201) == [201] * 4  # covers all
    assert len(set(shown(200))) == 2  # covers nothing: the video is seen
    opaque = Part(span, lambda _: Before(Opaque(1), clip), PLATE)
    with pytest.raises(SceneError, match="cannot be laid"):
        next(scenes.film([opaque], perform(spoken), fps=FPS))


class Opaque(Flat):
    """Knows nothing of cover."""

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        return super().frames(plate, replace(layout, transparent=False), performance, fps=fps)
