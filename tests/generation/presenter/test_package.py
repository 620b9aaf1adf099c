"""Performances as files: what is read back, what is refused, and which sentences count as the same."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generation.presenter import spans
from generation.presenter.errors import PackageError
from generation.presenter.line import assemble, perform
from generation.presenter.normalise import Language
from generation.presenter.package import LEAD_FRAMES, Package, Portrait, pack
from generation.presenter.remembered import Remembering, as_records, from_records
from generation.presenter.scene import Layout
from generation.presenter.scenes import SceneSpan
from generation.presenter.script import Script, Segment, read
from generation.presenter.speech import Pcm, Phone, Speech, Timing, Voice, Word, padded

VOICE = Voice("test")
SENTENCES = ("您好，很高兴见到您。", "您的余额是一百元整。", "谢谢您的信任，再见。", "请妈妈明天过来办好。")


class Humming:
    """An engine that never hums a sentence twice alike: two phones a character, the rest behind it silent."""

    name, deterministic = "humming", False

    def __init__(self) -> None:
        self.asked = 0

    def synthesize(self, segment: Segment, *, voice: Voice) -> Speech:
        self.asked += 1
        rate, said = 16_000, [one for one in segment.spoken if one.isalnum()]
        step_s = 0.2 + 0.002 * self.asked
        time = np.arange(round(rate * step_s * len(said))) / rate
        pcm: Pcm = np.concatenate(
            [(8000 * np.sin(2 * np.pi * 180 * time)).astype(np.int16), np.zeros(4800, np.int16)]
        )
        phones = [
            Phone("ma"[at % 2], at * step_s / 2, (at + 1) * step_s / 2, word=0) for at in range(2 * len(said))
        ]
        end_s = phones[-1].end_s
        phones.append(Phone("", end_s, len(pcm) / rate))
        word = Word(segment.spoken.strip(), 0.0, end_s, segment.start, segment.end)
        return Speech(pcm, rate, tuple(phones), (word,), "humming", Timing.EXACT, voice)


def script_of(*sentences: str) -> Script:
    return read("".join(sentences), language=Language.ZH)


def package_of(script: Script, engine: Any, **changes: Any) -> Package:
    said = [padded(engine.synthesize(segment, voice=VOICE), fps=25) for segment in script.segments]
    spoken = assemble(script, said)
    values = {
        "voice": VOICE,
        "scene": {"format": "preview"},
        "performer": Portrait("idn_1", "por_1", "a" * 64),
        "engine": "puppet/2",
        "rest": [np.full((36, 64, 3), 90, np.uint8)],
        "scenes": [SceneSpan(0, len(spoken.shapes), Layout())],
    }
    return pack(spoken, **(values | changes))


@pytest.fixture
def whole() -> Package:
    return package_of(script_of(*SENTENCES), Humming())


def written(package: Package, folder: Path) -> Package:
    path = folder / "one.npz"
    path.write_bytes(package.write())
    return Package.read(path)


def test_what_is_read_is_what_was_written(whole: Package, tmp_path: Path) -> None:
    found = written(whole, tmp_path)

    assert found.frames == whole.frames == len(whole.shapes)
    assert np.array_equal(found.pcm, whole.pcm)
    assert np.array_equal(found.shapes, whole.shapes)
    assert np.array_equal(found.rest[0], whole.rest[0])
    for name in ("cues", "visemes", "units", "performer", "scene", "engine", "voice", "rate"):
        assert getattr(found, name) == getattr(whole, name), name
    assert [each.key for each in found.said] == [each.key for each in whole.said]


def test_the_same_performance_has_the_same_hash(whole: Package) -> None:
    assert whole.write() == whole.write()


def _changed(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    change(arrays)
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, **arrays)
    return stream.getvalue()


def _told(**values: Any) -> Callable[[dict[str, Any]], None]:
    def change(arrays: dict[str, Any]) -> None:
        told = json.loads(arrays["told"].tobytes()) | values
        arrays["told"] = np.frombuffer(json.dumps(told).encode(), np.uint8)

    return change


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.pop(name)


def _shorter(arrays: dict[str, Any]) -> None:
    arrays["shapes"] = arrays["shapes"][:-1]


def _pickled(arrays: dict[str, Any]) -> None:
    arrays["shapes"] = np.array([{"a": 1}], dtype=object)


@pytest.mark.parametrize(
    "change",
    [
        _told(version=2),
        _told(units=[]),
        _told(units=[0, 0]),
        _told(units=[0, 100_000]),
        _told(units=[3]),
        _told(rest=0),
        _told(scenes=[]),
        _told(scenes=[{"first_frame": 0}]),
        _told(rest=2),
        _told(performer={"identity": "x"}),
        _told(cues=[[0.0]]),
        _without("told"),
        _without("pcm"),
        _without("motion_blink"),
        _shorter,
        _pickled,
    ],
)
def test_a_damaged_performance_is_refused(
    change: Callable[[dict[str, Any]], None], whole: Package, tmp_path: Path
) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(_changed(whole.write(), change))

    with pytest.raises(PackageError):
        Package.read(path)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not an archive", bytes(1000)])
def test_what_is_no_archive_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(data)

    with pytest.raises(PackageError):
        Package.read(path)


def test_half_a_file_is_refused(whole: Package, tmp_path: Path) -> None:
    path = tmp_path / "half.npz"
    data = whole.write()
    path.write_bytes(data[: len(data) // 2])

    with pytest.raises(PackageError):
        Package.read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError):
        Package.read(tmp_path / "none.npz")


def test_sentences_said_before_are_said_alike_and_not_asked_for_again(whole: Package) -> None:
    engine = Humming()
    edited = script_of(SENTENCES[0], "这里是另外的一句话。", *SENTENCES[2:])

    again = package_of(edited, Remembering(engine, whole.said))

    assert engine.asked == 1
    assert [again.same(at, whole, at) for at in range(4)] == [True, False, True, True]


def test_without_memory_no_sentence_is_the_same(whole: Package) -> None:
    engine = Humming()
    engine.asked = 10

    again = package_of(script_of(*SENTENCES), engine)

    assert not any(again.same(at, whole, at) for at in range(4))


def test_another_voice_is_not_remembered(whole: Package) -> None:
    engine = Humming()
    segment = script_of(*SENTENCES).segments[0]

    Remembering(engine, whole.said).synthesize(segment, voice=replace(VOICE, version="2"))

    assert engine.asked == 1


def test_places_of_a_sentence_that_moved_are_those_of_the_new_script(whole: Package) -> None:
    script = script_of("这是新的一句话。", SENTENCES[0])
    segment = script.segments[1]

    said = Remembering(Humming(), whole.said).synthesize(segment, voice=VOICE)

    assert said.words[0].char_start == segment.start
    assert script.text[said.words[0].char_start : said.words[0].char_end].startswith("您好")


def test_records_of_sentences_are_read_back(whole: Package) -> None:
    found = from_records(*as_records(whole.said))

    assert [each.speech.phones for each in found] == [each.speech.phones for each in whole.said]
    assert all(np.array_equal(a.speech.pcm, b.speech.pcm) for a, b in zip(found, whole.said, strict=True))


def test_another_subtitle_is_another_picture(whole: Package) -> None:
    shown = replace(whole, cues=(replace(whole.cues[0], lines=("other",)), *whole.cues[1:]))

    assert not shown.same(0, whole, 0)
    assert shown.same(1, whole, 1)


def test_another_movement_is_another_picture(whole: Package) -> None:
    blink = whole.motion.blink.copy()
    blink[whole.units[1] + 4] = 1.0

    moved = replace(whole, motion=replace(whole.motion, blink=blink))

    assert [moved.same(at, whole, at) for at in range(4)] == [True, False, True, True]


def test_nobody_moves_where_one_sentence_meets_the_next(whole: Package) -> None:
    moved = whole.motion
    for first in whole.units[1:]:
        frames = slice(first, first + LEAD_FRAMES)
        assert np.allclose(moved.roll_deg[frames], 0)
        assert np.allclose(moved.shift[frames], 0, atol=1e-9)
        assert np.allclose(moved.blink[frames], 0)


def test_every_frame_is_in_one_span(whole: Package) -> None:
    made = spans.plan(whole, target_s=2.0)

    assert [span.index for span in made] == list(range(len(made)))
    assert made[0].first_frame == 0
    assert all(a.first_frame + a.frames == b.first_frame for a, b in itertools.pairwise(made))
    assert sum(span.frames for span in made) == whole.frames
    assert sorted(key for span in made for key in span.keys) == list(whole.units)
    assert spans.made_anew(made) == whole.frames


def test_only_the_edited_sentence_is_made_anew(whole: Package) -> None:
    edited = package_of(
        script_of(*SENTENCES[:2], "这里是另外的一句话。", SENTENCES[3]), Remembering(Humming(), whole.said)
    )

    made = spans.plan(edited, earlier=whole)

    assert [span.taken_from for span in made] == [0, None, whole.units[3]]
    unit = edited.unit(2)
    assert spans.made_anew(made) == unit.stop - unit.start


def test_sentences_in_another_order_are_taken_from_where_they_were(whole: Package) -> None:
    engine = Remembering(Humming(), whole.said)
    turned = package_of(script_of(SENTENCES[1], SENTENCES[0], *SENTENCES[2:]), engine)

    made = spans.plan(turned, earlier=whole)

    assert [span.taken_from for span in made if span.frames > 40][-1] in whole.units
    assert sum(span.frames for span in made) == turned.frames


def test_a_span_is_read_back() -> None:
    span = spans.Span(3, 40, 60, (40, 70), 12)

    assert spans.Span.from_record(json.loads(json.dumps(span.as_record()))) == span


def test_a_part_of_a_performance_counts_from_its_own_start(whole: Package) -> None:
    performance = whole.performance
    first = whole.units[1]

    part = performance.part(first, 30, fps=25)

    assert np.array_equal(part.shapes, performance.shapes[first : first + 30])
    assert np.array_equal(part.motion.shift, performance.motion.shift[first : first + 30])
    assert all(cue.end_s > 0 and cue.start_s < 30 / 25 for cue in part.cues)
    assert part.cues[-1].start_s == pytest.approx(performance.cues[1].start_s - first / 25)


def test_the_package_holds_what_the_engine_draws(whole: Package) -> None:
    script = script_of(*SENTENCES)
    said = [each.speech for each in whole.said]
    placed = [
        Remembering(Humming(), whole.said).synthesize(segment, voice=VOICE) for segment in script.segments
    ]

    performance = perform(assemble(script, placed))

    assert len(said) == len(placed)
    assert np.allclose(performance.shapes, whole.shapes)
