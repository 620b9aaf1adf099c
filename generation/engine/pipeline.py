"""One pass over a chunk: decode, track, guard, swap, finish, encode.

- Three threads with bounded queues; no frame touches the disk, memory does not grow with the length.
- The guard is asked about every frame before anything of it is changed. No verdict, or its failure, aborts.
- ``finish`` sees every frame that is written, swapped or not.
- Any error or cancellation stops all threads, removes the partial file and is raised as it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial

from generation.engine.channel import Channel, Flow, StoppedError
from generation.engine.chunk import (
    ChunkPlan,
    FaceSwapper,
    FaceTracker,
    Likeness,
    PipelineSettings,
    TrackedFace,
)
from generation.engine.errors import EngineError, GuardAbortError
from generation.engine.media.colour import redraw, to_planes
from generation.engine.media.decode import Frame, read_frames
from generation.engine.media.encode import open_writer
from generation.engine.types import (
    Action,
    ChunkReport,
    Finish,
    FrameFaces,
    Guard,
    Image,
    Planes,
    Progress,
    Verdict,
)

JOIN_S = 1.0


def process(
    chunk: ChunkPlan,
    *,
    tracker: FaceTracker,
    swapper: FaceSwapper,
    guard: Guard,
    finish: Finish,
    progress: Progress,
    likeness: Likeness | None = None,
    settings: PipelineSettings | None = None,
) -> ChunkReport:
    """Write ``chunk.out`` and report on it; ``tracker`` is new for each chunk.

    Raises:
        GuardAbortError: the guard said abort, gave no verdict for a followed face, or failed.
        MediaError: the input breaks off, or the output cannot be written.
        CancelledError: whatever ``progress`` raises stops the pass.
    """
    settings = settings or PipelineSettings()
    work = _Work(chunk, tracker, swapper, guard, finish, progress, likeness, settings)
    started_s = time.process_time()
    work.run()
    return work.finished_report(process_s=time.process_time() - started_s)


class _Clock:
    """CPU seconds of threads by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.thread_time()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.thread_time() - started


@dataclass(slots=True)
class _Work:
    """The state of one pass."""

    chunk: ChunkPlan
    tracker: FaceTracker
    swapper: FaceSwapper
    guard: Guard
    finish: Finish
    progress: Progress
    likeness: Likeness | None
    settings: PipelineSettings
    report: ChunkReport = field(default_factory=ChunkReport)
    clock: _Clock = field(default_factory=_Clock)
    track_ids: set[int] = field(default_factory=set)
    compared_s: float = float("-inf")
    flow: Flow = field(default_factory=Flow)

    def run(self) -> None:
        """Start both ends, do the middle here, and leave nothing running."""
        inbox: Channel[Frame] = Channel(self.flow, size=self.settings.queue_frames)
        outbox: Channel[tuple[Planes, int]] = Channel(self.flow, size=self.settings.queue_frames)
        threads = [
            self._thread(partial(self._decode, inbox)),
            self._thread(partial(self._encode, outbox)),
        ]
        try:
            self._middle(inbox, outbox)
            outbox.close()
            for thread in threads:
                thread.join()
        except StoppedError:
            pass
        except BaseException as error:
            self.flow.fail(error)
            raise
        finally:
            for thread in threads:
                thread.join(JOIN_S)
        if self.flow.error is not None:
            raise self.flow.error

    def _thread(self, end: Callable[[], None]) -> threading.Thread:
        def body() -> None:
            try:
                end()
            except BaseException as error:  # noqa: BLE001 - the edge of the thread; raised again by ``run``
                self.flow.fail(error)

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        return thread

    def _decode(self, inbox: Channel[Frame]) -> None:
        chunk = self.chunk
        frames = read_frames(chunk.source, chunk.info, chunk.span, limits=self.settings.limits)
        with closing(frames):
            while True:
                with self.clock.stage("decode"):
                    frame = next(frames, None)
                if frame is None:
                    break
                inbox.put(frame)
        inbox.close()

    def _encode(self, outbox: Channel[tuple[Planes, int]]) -> None:
        with (
            self.clock.stage("encode"),
            open_writer(self.chunk.out, info=self.chunk.info, settings=self.settings.encode) as writer,
        ):
            for planes, pts in outbox:
                writer.write(planes, pts)

    def _middle(self, inbox: Channel[Frame], outbox: Channel[tuple[Planes, int]]) -> None:
        total = self.chunk.span.frames
        for frame in inbox:
            tracks, verdicts = self._look(frame)
            if frame.warm:
                continue
            before = frame.picture.copy() if frame.planes else frame.picture
            self._swap(frame, tracks, verdicts)
            outbox.put((self._finished(frame, before), frame.pts))
            self.report.frames += 1
            if self.report.frames % self.settings.progress_frames == 0 or self.report.frames == total:
                self.progress(self.report.frames, total)

    def _look(self, frame: Frame) -> tuple[Sequence[TrackedFace], Mapping[int, Verdict]]:
        """The followed faces of the frame with the guard's answer for each."""
        with self.clock.stage("track"):
            tracks = self.tracker.update(frame.picture, frame.index, frame.time_s)
            faces = self.tracker.frame_faces(frame.index, frame.time_s)
        with self.clock.stage("guard"):
            verdicts = ask(self.guard, faces, tracks)
        if not frame.warm:
            self.report.detections += len(faces.faces)
            self.report.no_face += not faces.faces
            self.track_ids.update(track.id for track in tracks)
        return tracks, verdicts

    def _swap(self, frame: Frame, tracks: Sequence[TrackedFace], verdicts: Mapping[int, Verdict]) -> None:
        """Swap what may be swapped, and compare the result with the source now and then."""
        for track in tracks:
            if verdicts[track.id].action is not Action.SWAP:
                self.report.kept += 1
            elif abs(track.pose.yaw_deg) > self.settings.camera_yaw_deg:
                self.report.profile += 1
            else:
                self._swap_one(frame, track)

    def _swap_one(self, frame: Frame, track: TrackedFace) -> None:
        with self.clock.stage("swap"):
            outcome = self.swapper.swap(frame.picture, track.mesh)
        if outcome.strength <= 0:
            self.report.profile += 1
            return
        self.report.swapped += 1
        self.report.low_coverage += outcome.coverage < self.settings.coverage
        if self.likeness and frame.time_s - self.compared_s >= self.settings.monitor_s:
            self.compared_s = frame.time_s
            with self.clock.stage("compare"):
                made = self.likeness.embedder.embed(frame.picture, track.mesh)
                self.report.similarity.append(round(made.distance(self.likeness.source), 4))

    def _finished(self, frame: Frame, before: Image) -> Planes:
        """The frame's planes with the swapped region redrawn, and the marks on them."""
        with self.clock.stage("convert"):
            if frame.planes is None:
                planes = to_planes(frame.picture)
            else:
                planes = frame.planes
                redraw(planes, before=before, after=frame.picture)
        with self.clock.stage("finish"):
            self.finish(planes, frame.index, frame.time_s)
        return planes

    def finished_report(self, *, process_s: float) -> ChunkReport:
        """The report with what is known only at the end."""
        report = self.report
        report.tracks = len(self.track_ids)
        report.embedded = self.tracker.embedded
        report.notes.extend(self.chunk.info.notes)
        if report.profile:
            report.notes.append(f"{report.profile} faces kept their original: turned too far to the side.")
        frames = max(1, report.frames)
        seconds = {**self.clock.seconds, "process": process_s}
        report.stage_ms = {name: round(1000 * s / frames, 3) for name, s in seconds.items()}
        return report


def ask(guard: Guard, faces: FrameFaces, tracks: Sequence[TrackedFace]) -> Mapping[int, Verdict]:
    """The guard's verdicts, complete and without abort.

    Raises:
        GuardAbortError: an abort, a followed face without verdict, or a guard that failed.
    """
    try:
        verdicts = guard(faces)
    except EngineError:
        raise
    except Exception as error:
        raise GuardAbortError(getattr(error, "code", "guard.failed"), frame=faces.index) from error
    for verdict in verdicts.values():
        if verdict.action is Action.ABORT:
            raise GuardAbortError(verdict.code or "guard.abort", frame=faces.index)
    followed = {track.id for track in tracks} | {f.track_id for f in faces.faces if f.track_id is not None}
    if not followed <= verdicts.keys():
        raise GuardAbortError("guard.no_verdict", frame=faces.index)
    return verdicts
