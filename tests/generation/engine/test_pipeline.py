from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from generation.engine.channel import Channel, Flow, StoppedError
from generation.engine.chunk import ChunkPlan, Likeness, PipelineSettings
from generation.engine.errors import (
    CancelledError,
    EncodeError,
    GuardAbortError,
    ModelOutputError,
    UnreadableMediaError,
)
from generation.engine.media.chunks import plan_chunks, whole
from generation.engine.media.decode import read_frames
from generation.engine.media.image import encode_png
from generation.engine.media.join import join
from generation.engine.media.probe import probe
from generation.engine.pipeline import process
from generation.engine.types import (
    Action,
    ChunkReport,
    Embedding,
    Face,
    FrameFaces,
    Image,
    Planes,
    Points,
    Verdict,
)
from tests.generation.engine.media.makers import counter, make_clip, read_all, read_counter

SWAP, KEEP, ABORT = Verdict(Action.SWAP), Verdict(Action.KEEP), Verdict(Action.ABORT, "face.blocked")
SIZE = (128, 96)


@dataclass
class FakePose:
    yaw_deg: float


@dataclass
class FakeTrack:
    id: int
    mesh: Points
    pose: FakePose


@dataclass
class FakeTracker:
    """Follows one face through all frames; ``yaw`` gives its turn."""

    yaw: Callable[[int], float] = lambda _: 0.0
    faces: Callable[[int], int] = lambda _: 1
    fails_at: int = -1
    embedded: int = 0
    seen: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def update(self, frame: Image, index: int, time_s: float) -> list[FakeTrack]:
        assert frame.shape == (96, 128, 3)
        if index == self.fails_at:
            raise ModelOutputError("facemesh gave NaN.")
        self.seen.append(index)
        self.times.append(time_s)
        mesh = np.zeros((468, 3), np.float32)
        return [FakeTrack(n + 1, mesh, FakePose(self.yaw(index))) for n in range(self.faces(index))]

    def frame_faces(self, index: int, time_s: float) -> FrameFaces:
        box = np.array([10, 10, 50, 50], np.float32)
        faces = tuple(Face(n + 1, box, 0.9, None, False) for n in range(self.faces(index)))
        return FrameFaces(index, time_s, 128, 96, faces)


@dataclass
class FakeOutcome:
    yaw_relative_deg: float = 0.0
    coverage: float = 1.0
    strength: float = 1.0


@dataclass
class FakeSwapper:
    """Paints the upper eighth white, where the counter has no field."""

    outcome: FakeOutcome = field(default_factory=FakeOutcome)
    calls: int = 0

    def swap(self, frame: Image, mesh: Points) -> FakeOutcome:
        assert mesh.shape == (468, 3)
        self.calls += 1
        if self.outcome.strength:
            frame[:12] = 255
        return self.outcome


class FakeEmbedder:
    def embed(self, frame: Image, mesh: Points) -> Embedding:
        assert mesh.shape == (468, 3)
        assert frame[:12].min() == 255
        return Embedding(np.array([0.6, 0.8], np.float32), "m", "l2")


LIKENESS = Likeness(FakeEmbedder(), Embedding(np.array([0.6, 0.4], np.float32), "m", "l2"))


def allow(frame: FrameFaces) -> Mapping[int, Verdict]:
    return {face.track_id: SWAP for face in frame.faces if face.track_id is not None}


def mark(planes: Planes, index: int, time_s: float) -> None:
    planes.y[-8:] = 235
    planes.u[-4:] = planes.v[-4:] = 128


def ignore(done: int, total: int) -> None:
    del done, total


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", frames=60, sound="aac")


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def run(
    clip: Path,
    out: Path,
    *,
    tracker: FakeTracker | None = None,
    swapper: FakeSwapper | None = None,
    guard: Callable[[FrameFaces], Mapping[int, Verdict]] = allow,
    finish: Callable[[Planes, int, float], None] = mark,
    progress: Callable[[int, int], None] = ignore,
    likeness: Likeness | None = None,
    settings: PipelineSettings | None = None,
) -> ChunkReport:
    info = probe(clip)
    plan = ChunkPlan(clip, info, whole(info), out)
    return process(
        plan,
        tracker=tracker or FakeTracker(),
        swapper=swapper or FakeSwapper(),
        guard=guard,
        finish=finish,
        progress=progress,
        likeness=likeness,
        settings=settings,
    )


def test_every_frame_is_swapped_and_finished_in_order(clip: Path, tmp_path: Path) -> None:
    finished: list[tuple[int, float]] = []

    def finish(planes: Planes, index: int, time_s: float) -> None:
        finished.append((index, time_s))
        mark(planes, index, time_s)

    report = run(clip, tmp_path / "c.mp4", finish=finish)
    frames = read_all(tmp_path / "c.mp4")
    assert [read_counter(picture) for _, picture in frames] == list(range(60))
    assert all(picture[:8].min() > 200 and picture[-6:].min() > 200 for _, picture in frames)
    assert finished == [(n, pytest.approx(n / 25)) for n in range(60)]
    assert (report.frames, report.swapped, report.tracks, report.no_face) == (60, 60, 1, 0)
    assert {"decode", "track", "guard", "swap", "convert", "finish", "encode", "process"} <= set(
        report.stage_ms
    )


def test_what_was_not_swapped_keeps_its_very_samples(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=6, colour=(1, 1, 1))
    info = probe(path)
    decoded = [f.planes for f in read_frames(path, info, whole(info))]
    finished: list[Planes] = []

    def finish(planes: Planes, index: int, time_s: float) -> None:
        finished.append(Planes(planes.y.copy(), planes.u.copy(), planes.v.copy()))

    def half(frame: FrameFaces) -> Mapping[int, Verdict]:
        return {1: SWAP if frame.index % 2 else KEEP}

    run(path, tmp_path / "c.mp4", guard=half, finish=finish)
    for number, (mine, was) in enumerate(zip(finished, decoded, strict=True)):
        assert was is not None
        assert np.array_equal(mine.y[12:], was.y[12:])
        assert np.array_equal(mine.v[6:], was.v[6:])
        if number % 2:
            assert mine.y[:12].min() >= 234
            assert np.abs(mine.u[:6].astype(int) - 128).max() <= 1
        else:
            assert np.array_equal(mine.y, was.y)


def test_faces_that_are_kept_stay_but_their_frames_are_marked(clip: Path, tmp_path: Path) -> None:
    swapper = FakeSwapper()
    report = run(clip, tmp_path / "c.mp4", swapper=swapper, guard=lambda _: {1: KEEP})
    assert swapper.calls == 0
    assert report.kept == 60
    assert all(p[:8].max() < 120 and p[-6:].min() > 200 for _, p in read_all(tmp_path / "c.mp4"))


def test_frames_without_a_face_are_marked_and_counted(clip: Path, tmp_path: Path) -> None:
    report = run(clip, tmp_path / "c.mp4", tracker=FakeTracker(faces=lambda n: int(n >= 20)))
    assert (report.no_face, report.swapped, report.frames) == (20, 40, 60)
    assert all(p[-6:].min() > 200 for _, p in read_all(tmp_path / "c.mp4"))


def test_profile_is_not_swapped(clip: Path, tmp_path: Path) -> None:
    swapper = FakeSwapper()
    report = run(clip, tmp_path / "c.mp4", swapper=swapper, tracker=FakeTracker(yaw=lambda n: n - 75.0))
    assert (report.profile, report.swapped, swapper.calls) == (15, 45, 45)
    assert any("15 faces" in note for note in report.notes)


def test_swap_that_changed_nothing_counts_as_profile(clip: Path, tmp_path: Path) -> None:
    report = run(clip, tmp_path / "c.mp4", swapper=FakeSwapper(FakeOutcome(50.0, 0.0, 0.0)))
    assert (report.profile, report.swapped, report.low_coverage) == (60, 0, 0)


def test_low_coverage_is_counted(clip: Path, tmp_path: Path) -> None:
    report = run(clip, tmp_path / "c.mp4", swapper=FakeSwapper(FakeOutcome(0.0, 0.4, 1.0)))
    assert report.low_coverage == 60


def test_output_is_compared_once_a_second(clip: Path, tmp_path: Path) -> None:
    report = run(clip, tmp_path / "c.mp4", likeness=LIKENESS)
    assert report.similarity == pytest.approx([0.4, 0.4, 0.4], abs=1e-4)


def raising(frame: FrameFaces) -> Mapping[int, Verdict]:
    raise KeyError(frame.index)


def at(number: int, verdict: Verdict | None) -> Callable[[FrameFaces], Mapping[int, Verdict]]:
    def guard(frame: FrameFaces) -> Mapping[int, Verdict]:
        if frame.index < number:
            return {1: SWAP}
        return {1: verdict} if verdict else {}

    return guard


@pytest.mark.parametrize(
    ("guard", "reason", "number"),
    [
        (at(0, ABORT), "face.blocked", 0),
        (at(33, ABORT), "face.blocked", 33),
        (at(59, ABORT), "face.blocked", 59),
        (at(7, None), "guard.no_verdict", 7),
        (raising, "guard.failed", 0),
        (lambda _: {1: SWAP, 99: ABORT}, "face.blocked", 0),
    ],
)
def test_guard_stops_the_chunk_before_anything_is_written(
    clip: Path, tmp_path: Path, guard: Callable[[FrameFaces], Mapping[int, Verdict]], reason: str, number: int
) -> None:
    with pytest.raises(GuardAbortError) as caught:
        run(clip, tmp_path / "c.mp4", guard=guard)
    assert (caught.value.reason, caught.value.frame) == (reason, number)
    assert not list(tmp_path.iterdir())


def test_guard_is_asked_before_the_swap(clip: Path, tmp_path: Path) -> None:
    swapper = FakeSwapper()
    with pytest.raises(GuardAbortError):
        run(clip, tmp_path / "c.mp4", swapper=swapper, guard=at(0, ABORT))
    assert swapper.calls == 0


def test_cancelling_in_the_middle_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        if done >= 24:
            raise CancelledError("Job 7 was cancelled.")

    with pytest.raises(CancelledError):
        run(clip, tmp_path / "c.mp4", progress=progress)
    assert calls == [(12, 60), (24, 60)]
    assert not list(tmp_path.iterdir())


def test_progress_ends_with_the_total(clip: Path, tmp_path: Path) -> None:
    calls: list[int] = []
    run(clip, tmp_path / "c.mp4", progress=lambda done, _: calls.append(done))
    assert calls == [12, 24, 36, 48, 60]


def test_cancel_at_the_last_frame_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    def progress(done: int, total: int) -> None:
        if done == total:
            raise CancelledError("Job 7 was cancelled.")

    with pytest.raises(CancelledError):
        run(clip, tmp_path / "c.mp4", progress=progress)
    assert not list(tmp_path.iterdir())


def test_error_of_the_worker_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ModelOutputError):
        run(clip, tmp_path / "c.mp4", tracker=FakeTracker(fails_at=31))
    assert time.monotonic() - began < 3
    assert not list(tmp_path.iterdir())


def test_error_of_finish_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    def finish(planes: Planes, index: int, time_s: float) -> None:
        if index == 40:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(clip, tmp_path / "c.mp4", finish=finish)
    assert not list(tmp_path.iterdir())


def test_error_of_the_encoder_stops_the_worker(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from generation.engine.media.encode import VideoWriter

    def full(self: VideoWriter, planes: Planes, pts: int) -> None:
        raise EncodeError("The output cannot be written: No space left on device.")

    monkeypatch.setattr(VideoWriter, "write", full)
    tracker = FakeTracker()
    with pytest.raises(EncodeError, match="No space"):
        run(clip, tmp_path / "c.mp4", tracker=tracker)
    assert len(tracker.seen) < 20
    assert not list(tmp_path.iterdir())


def test_input_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mp4", frames=50, container_options={"movflags": "faststart"}, options={"crf": "5"}
    )
    info = probe(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    plan = ChunkPlan(path, info, whole(info), tmp_path / "c.mp4")
    with pytest.raises(UnreadableMediaError):
        process(plan, tracker=FakeTracker(), swapper=FakeSwapper(), guard=allow, finish=mark, progress=ignore)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_memory_is_bounded_under_a_slow_encoder(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from generation.engine.media.encode import VideoWriter

    write, ahead, tracker = VideoWriter.write, [], FakeTracker()
    written = [0]

    def slow(self: VideoWriter, planes: Planes, pts: int) -> None:
        time.sleep(0.01)
        written[0] += 1
        ahead.append(len(tracker.seen) - written[0])
        write(self, planes, pts)

    monkeypatch.setattr(VideoWriter, "write", slow)
    run(clip, tmp_path / "c.mp4", tracker=tracker)
    assert max(ahead) <= 6


def test_chunks_are_warmed_and_join_to_the_whole(clip: Path, tmp_path: Path) -> None:
    info = probe(clip)
    outs = []
    for span in plan_chunks(info, target_s=0.9):
        tracker, asked = FakeTracker(), []

        def guard(frame: FrameFaces, asked: list[int] = asked) -> Mapping[int, Verdict]:
            asked.append(frame.index)
            return allow(frame)

        out = tmp_path / f"{span.index}.mp4"
        plan = ChunkPlan(clip, info, span, out)
        report = process(
            plan, tracker=tracker, swapper=FakeSwapper(), guard=guard, finish=mark, progress=ignore
        )
        first = span.first_frame - (12 if span.index else 0)
        assert tracker.seen == asked == list(range(first, span.first_frame + span.frames))
        assert report.frames == report.swapped == span.frames
        outs.append(out)
    assert len(outs) > 1
    join(outs, audio_from=clip, out=tmp_path / "out.mp4", metadata={"AIGC": "{}"})
    assert [read_counter(p) for _, p in read_all(tmp_path / "out.mp4")] == list(range(60))
    assert probe(tmp_path / "out.mp4").audio is not None


def test_warm_frames_stop_the_chunk_too(clip: Path, tmp_path: Path) -> None:
    info = probe(clip)
    span = plan_chunks(info, target_s=0.9)[1]
    plan = ChunkPlan(clip, info, span, tmp_path / "c.mp4")
    with pytest.raises(GuardAbortError) as caught:
        process(
            plan,
            tracker=FakeTracker(),
            swapper=FakeSwapper(),
            guard=at(0, ABORT),
            finish=mark,
            progress=ignore,
        )
    assert caught.value.frame == span.first_frame - 12


def test_picture_passes_as_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(counter(201, SIZE)))
    report = run(path, tmp_path / "c.png")
    join([tmp_path / "c.png"], audio_from=None, out=tmp_path / "out.png", metadata={"AIGC": "{}"})
    assert (report.frames, report.swapped) == (1, 1)
    assert probe(tmp_path / "out.png").container == "png"


def test_times_of_a_variable_rate_reach_tracker_and_output(tmp_path: Path) -> None:
    pts = [0, 40, 55, 300, 310, 311, 700]
    path = make_clip(tmp_path / "a.mkv", frames=7, pts=pts, time_base=Fraction(1, 1000))
    tracker = FakeTracker()
    run(path, tmp_path / "c.mp4", tracker=tracker)
    assert tracker.times == [p / 1000 for p in pts]
    assert [t for t, _ in read_all(tmp_path / "c.mp4")] == pytest.approx([p / 1000 for p in pts], abs=1e-6)


def test_both_ends_of_a_channel_wake_when_the_flow_stops() -> None:
    flow = Flow()
    full: Channel[int] = Channel(flow, size=1)
    empty: Channel[int] = Channel(flow, size=1)
    full.put(1)
    ended: list[str] = []

    def put() -> None:
        with pytest.raises(StoppedError):
            full.put(2)
        ended.append("put")

    def get() -> None:
        with pytest.raises(StoppedError):
            next(iter(empty))
        ended.append("get")

    threads = [threading.Thread(target=put), threading.Thread(target=get)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    first = EncodeError("first")
    flow.fail(first)
    flow.fail(EncodeError("second"))
    for thread in threads:
        thread.join(1)
    assert sorted(ended) == ["get", "put"]
    assert flow.error is first
