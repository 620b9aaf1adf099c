"""A chunk of a performance: the performer's portrait gets the licensed face once, and is then driven.

- The portrait is looked at, judged and replaced exactly as a frame of footage is: tracked, guarded, swapped.
  What the scene adds around it is looked at too, composed as the viewer will see it, before any face is
  changed.
- From there on every pixel of a face comes from the swapped portrait: warps, subtitles and a drawn inner
  mouth bring in nobody. Every ``LOOK_EVERY`` frames that is looked at again. Where another engine moves the
  lips, it is also made sure that who is seen is still the licensed person.
- Each frame is marked just before it is encoded, as every frame of every job is.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from generation import backdrops, delivery, dressing, idling, lipsync, marking, performances, staging
from generation.dressing import Looked
from generation.engine.channel import ahead
from generation.engine.chunk import Likeness, PipelineSettings, StillSwapper
from generation.engine.errors import GuardAbortError, NoFaceError
from generation.engine.faces.landmarks import Region
from generation.engine.faces.models import FaceModels
from generation.engine.faces.track import Tracker
from generation.engine.media.alpha import AlphaWriter
from generation.engine.media.colour import from_planes
from generation.engine.media.encode import VideoWriter
from generation.engine.media.info import MediaInfo
from generation.engine.media.probe import probe
from generation.engine.types import ChunkReport, Finish, Image, Planes, Points, Progress
from generation.errors import JobStateError, NotFoundError, PermitError, WithdrawnError
from generation.gate import authority, people
from generation.gate.gallery import is_strong
from generation.gate.guard import FaceGuard
from generation.lipsync import SiteMouth
from generation.models import Chunk, Job, Presentation
from generation.presenter.errors import SpliceError
from generation.presenter.package import Package
from generation.presenter.persons import Filmed, Person, Portrayed
from generation.presenter.scene import Plate
from generation.presenter.scenes import Part, film
from generation.presenter.spans import Span
from generation.presenter.splice import take
from generation.presenter.watching import look

LOOK_EVERY = 50
"""Frames between two looks at what is written."""
LOOK_AT_OTHERS_EVERY = 10
"""The same where another engine than the embedded one may have drawn a face."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the worker brings: engine parts that know faces, and what follows each frame."""

    models: FaceModels
    swapper: StillSwapper
    likeness: Likeness
    guard: FaceGuard
    finish: Finish
    progress: Progress
    settings: PipelineSettings
    mouth: SiteMouth | None = None
    """Of a performance that another engine than the embedded one is to drive."""


def render(job: Job, span: Span, out: Path, parts: Parts) -> ChunkReport:
    """Write one span of a performance to ``out`` and report on it.

    Raises:
        GuardAbortError: a face in the portrait or in the scene may not be there.
        RefusedError: the performer's release does not allow it any more.
        PermitError: the performance is not of the portrait that was admitted.
        PresenterError: it cannot be drawn.
        MediaError: it cannot be written.
        CancelledError: whatever ``progress`` raises stops the pass.
    """
    package = performances.package_of(job.media)
    began_s = time.process_time()
    report = ChunkReport()
    with _person(job, package, out.with_suffix(".idle")) as person:
        scenes, faces = _set(job, package, span, person, parts, report)
        drawn = film(scenes, package.performance, fps=package.fps, first=span.first_frame, frames=span.frames)
        if isinstance(person, Portrayed) and parts.mouth is None:
            drawn = ahead(drawn)  # a portrait is drawn without the networks, which serve one thread
        info = MediaInfo.from_record(job.media.info)
        _write(drawn, package, span, out, info, parts, report, faces=faces)
    report.mouth = _mouth(out, package, span, parts.models)
    report.driving = {} if parts.mouth is None else parts.mouth.as_record()
    report.stage_ms = {"process": round(1000 * (time.process_time() - began_s) / max(1, report.frames), 3)}
    return report


def take_over(job: Job, span: Span, out: Path) -> ChunkReport:
    """Write one span from the delivered video that this one revises, with what was seen in it.

    Raises:
        SpliceError: this job revises none, the block list is newer than the one both were admitted under, or
            the earlier video may not be used any more or does not hold the frames.
    """
    earlier = job.revises
    if earlier is None:
        raise SpliceError(f"Job {job.id} revises no earlier video.")
    admitted = authority.Admission.from_record(job.decision["admission"])
    if people.blocked_version(tenant=job.tenant) != admitted.gallery:
        raise SpliceError("The block list changed after the admission: the frames must be looked at anew.")
    fps = int(MediaInfo.from_record(job.media.info).rate)
    first = span.taken_from or 0
    try:
        video, content = delivery.output_path(earlier), delivery.content_path(earlier)
    except (WithdrawnError, JobStateError, NotFoundError) as error:
        raise SpliceError(f"The earlier video may not be used any more: {error}") from error
    take(video, out, first=first, frames=span.frames, start=span.first_frame, fps=fps)
    marking.take_track(
        content,
        out,
        from_s=first / fps,
        to_s=(first + span.frames) / fps,
        start_s=span.first_frame / fps,
    )
    report = ChunkReport(frames=span.frames, detections=span.frames, swapped=span.frames, tracks=1)
    report.similarity = list(earlier.report["similarity"][:1])
    report.mouth = _mouth_of(earlier, first, first + span.frames)
    report.driving = dict(earlier.report.get(lipsync.REPORT, {}))
    report.notes.append(f"{span.frames} frames were taken over from job {earlier.id}.")
    return report


def _mouth_of(job: Job, first: int, end: int) -> list[tuple[float, float]]:
    """What ``ChunkReport.mouth`` says of some frames of a performance; only their chunks are read."""
    found: list[tuple[float, float]] = []
    chunks = Chunk.objects.filter(job=job).order_by("index")
    for key, begin, frames in chunks.values_list("pk", "plan__first_frame", "frames"):
        if begin < end and begin + frames > first:
            mouth = Chunk.objects.values_list("report", flat=True).get(pk=key).get("mouth", [])
            found += [(lips, dark) for lips, dark in mouth[max(0, first - begin) : end - begin]]
    return found


def _mouth(out: Path, package: Package, span: Span, models: FaceModels) -> list[tuple[float, float]]:
    """The mouth on every frame of a chunk, as a player will decode it."""
    cuts = [scene.first_frame - span.first_frame for scene in package.scenes]
    seen = look(out, probe(out), models, cuts=cuts)
    pairs = zip(seen.lips.tolist(), seen.dark.tolist(), strict=True)
    return [(round(lips, 4), round(dark, 4)) for lips, dark in pairs]


@contextmanager
def _person(job: Job, package: Package, folder: Path) -> Iterator[Person]:
    """The performer with their own face, as their release allows now: the package's portrait, or its clip.

    Raises:
        PermitError: the portrait is not the one that was admitted.
        RefusedError, PresenterError: see ``render``.
    """
    row = Presentation.objects.get(job=job)
    portrait, picture = staging.portrait_of(row, use=authority.use_of(job))
    if portrait != package.performer:
        raise PermitError("inputs", "the portrait changed after the admission")
    if package.idle is None:
        yield Portrayed(staging.plates_of(picture, package.scenes))
        return
    try:
        with idling.filmed(package.idle, folder) as person:
            yield person
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _set(
    job: Job, package: Package, span: Span, person: Person, parts: Parts, report: ChunkReport
) -> tuple[tuple[Part, ...], dict[int, int]]:
    """The scenes with the licensed face in them, and how many faces each shows, by its first frame.

    What this span shows is composed and looked at with the performer's own face first, and all that is around
    them anew where the block list has changed.

    Raises:
        PermitError: the scene is not what was admitted.
        GuardAbortError, NoFaceError, RefusedError, PresenterError: see ``render``.
    """
    backdrops.require_current(job)
    row = Presentation.objects.get(job=job)
    scene = staging.scene_of(row)
    if dict(package.scene) != row.scene:
        raise PermitError("inputs", "the scene changed after the admission")
    faces: dict[int, int] = {}
    for part in staging.parts_of(scene, package.scenes, person, tenant=job.tenant):
        if part.span.shows_from < span.first_frame + span.frames and part.span.end > span.first_frame:
            composed = staging.at_rest(part, package.performance)
            looked = dressing.looked_at(composed, guard=parts.guard, models=parts.models)
            _count(looked, report)
            faces[part.span.first_frame] = len(looked.tracks)
    licensed = _licensed(person, package, parts, report)
    return staging.parts_of(scene, package.scenes, licensed, tenant=job.tenant), faces


def _licensed(person: Person, package: Package, parts: Parts, report: ChunkReport) -> Person:
    """The performer with the licensed face: every picture of them is replaced before a mouth is driven on it.

    Raises:
        GuardAbortError, NoFaceError: see ``_avatar``.
    """
    if isinstance(person, Portrayed):
        plates = {share: _avatar(plate, parts, report) for share, plate in person.plates.items()}
        return Portrayed(plates, parts.mouth)
    if not isinstance(person, Filmed):
        raise NoFaceError("Nobody knows how the performer's face is replaced.")

    def replaced(pictures: Iterator[Image]) -> Iterator[Image]:
        return _replaced(pictures, package.fps, parts, report)

    licensed = person.seen(replaced, parts.models.landmarks, parts.mouth)
    first = next(licensed.pictures(person.loop.references[0], 1))
    region = Region.of_mesh(person.loop.meshes[person.loop.references[0]])
    _compare(first, parts.models.landmarks.measure(first, region).mesh, parts, report)
    return licensed


def _replaced(pictures: Iterator[Image], fps: int, parts: Parts, report: ChunkReport) -> Iterator[Image]:
    """Pictures of a clip with the licensed face, each looked at by the guard like a frame of any footage.

    Raises:
        GuardAbortError: a face may not be there, or may not be replaced.
        NoFaceError: a picture shows nobody who could be replaced.
    """
    tracker, guard = Tracker(parts.models, float(fps)), parts.guard.follow()
    for index, picture in enumerate(pictures):
        looked = dressing.judged(tracker, picture, index, index / fps, guard=guard)
        _count(looked, report)
        if sum(parts.swapper.swap(picture, track.mesh).strength > 0 for track in looked.tracks) != 1:
            raise NoFaceError("A picture of the idle clip shows nobody whose face could be replaced.")
        yield picture


def _avatar(plate: Plate, parts: Parts, report: ChunkReport) -> Plate:
    """The plate with the licensed face on it, once the guard has seen it.

    Raises:
        GuardAbortError, NoFaceError, PlateRejectedError: see ``dressing.dressed``.
    """
    avatar, looked = dressing.dressed(plate, swapper=parts.swapper, guard=parts.guard, models=parts.models)
    _count(looked, report)
    _compare(avatar.picture, avatar.mesh, parts, report)
    report.tracks = len(looked.tracks)
    return avatar


def _count(looked: Looked, report: ChunkReport) -> None:
    report.detections += looked.detections
    report.embedded += looked.embedded


def _compare(picture: Image, mesh: Points, parts: Parts, report: ChunkReport) -> None:
    """Note how far the face that was made is from the licensed one."""
    made = parts.likeness.embedder.embed(picture, mesh)
    report.similarity.append(round(made.distance(parts.likeness.source), 4))


def _write(
    drawn: Iterator[Planes],
    package: Package,
    span: Span,
    out: Path,
    info: MediaInfo,
    parts: Parts,
    report: ChunkReport,
    *,
    faces: Mapping[int, int],
) -> None:
    keys = frozenset(span.keys)
    opened = AlphaWriter if out.suffix == ".webm" else VideoWriter
    with opened(out, info=info, settings=parts.settings.encode) as writer:
        for planes in drawn:
            index = span.first_frame + report.frames
            if report.frames % (LOOK_EVERY if parts.mouth is None else LOOK_AT_OTHERS_EVERY) == 0:
                shown = [scene for scene in package.scenes if scene.shows_from <= index < scene.end]
                least = 1 if len(shown) == 1 else 0  # while one scene fades into the next, nobody is sure
                most = sum(faces[scene.first_frame] for scene in shown)
                _look_again(planes, parts, index, faces=range(least, most + 1))
            parts.finish(planes, index, index / package.fps)
            writer.write(planes, index, key=index in keys)
            report.frames += 1
            if report.frames % parts.settings.progress_frames == 0 or report.frames == span.frames:
                parts.progress(report.frames, span.frames)
    report.swapped = report.frames


def _look_again(planes: Planes, parts: Parts, index: int, *, faces: range) -> None:
    """Make sure that a drawn frame shows a face, and no more of them than the guard has seen.

    Raises:
        GuardAbortError: it shows more, or none.
        DrivingMismatchError: another engine drew it, and none of them is the licensed person.
    """
    picture = from_planes(planes)
    found = parts.models.detector.detect(picture)
    width = picture.shape[1]
    strong = [face for face in found if is_strong(face.score, face.width_px, frame_width_px=width)]
    if len(strong) not in faces:
        raise GuardAbortError("coverage.incomplete", frame=index)
    if strong and parts.mouth is not None:
        dressing.require_licensed(picture, strong, parts.likeness, models=parts.models, index=index)
