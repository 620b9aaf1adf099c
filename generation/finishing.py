"""From the last chunk to a delivered file: seal, check that it may still leave, store, log."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.events import GenerationFinished, LabelApplied
from consent import selectors as consents
from generation import (
    blobs,
    delivery,
    exporting,
    hooks,
    labelling,
    lipsync,
    loaded,
    performances,
    planner,
    prints,
    releasing,
    remarking,
    sealing,
    syncing,
    transitions,
)
from generation.admitting import taken
from generation.engine.errors import NoFaceError
from generation.engine.media.info import MediaInfo
from generation.errors import (
    AlreadyOverError,
    LeaseLostError,
    PermitError,
    StaleFramesError,
    SyncOutOfBoundsError,
)
from generation.gate import admission, authority
from generation.leases import Lease
from generation.marking import MarkPlan
from generation.models import Chunk, Job, JobState
from generation.sealing import Sealed, SealOrder
from watermark.c2pa import ConsentStatement
from watermark.payload import ALGORITHM
from watermark.profiles import Requirement

if TYPE_CHECKING:
    from generation.gate.permit import Permit  # a type here; only the gate makes them


def seal(job_id: uuid.UUID) -> None:
    """Take a job from ``sealing`` to ``done``; nothing half-written is left, whatever happens.

    Raises:
        DatabaseError: the database is away; the job is taken up again.
    """
    with taken(job_id, JobState.SEALING) as work:
        if work is None:
            return
        job, lease = work
        folder = transitions.scratch(job.id) / "sealed"
        try:
            _require_swap(job)
            permit = _recheck(job)
            releasing.require_compared(job)
            with _footage(job) as (footage, sound):
                order = _order(job, footage, sound)
                needed = _requirement(job, order.marks)
                sealed = sealing.seal(order, folder=folder)
            labelling.check_applied(needed, sealed.marks)
            sync = syncing.check(job, sealed.path, sealed.info, chunks=order.chunks)
            releasing.require_compared(job)
            _deliver(job, sealed, permit, lease, sync=sync)
        except Exception as error:  # noqa: BLE001  the edge of the task: the job must not stay sealing
            _end(job.id, error, lease)
        transitions.clear_if_over(job.id)


def _end(job_id: uuid.UUID, error: Exception, lease: Lease) -> None:
    """Close the job as the error demands, unless it is made again."""
    try:
        if isinstance(error, remarking.MENDED):
            lease.check()
            if remarking.again(job_id, error):
                return
    except (LeaseLostError, AlreadyOverError) as other:
        error = other
    if isinstance(error, SyncOutOfBoundsError):
        _keep_figures(job_id, error)
    transitions.conclude(job_id, error, stage="release")


@transaction.atomic
def _keep_figures(job_id: uuid.UUID, error: SyncOutOfBoundsError) -> None:
    """Keep what was measured on a file that does not go out: somebody will ask why."""
    job = transitions.lock(job_id)
    job.report = {**job.report, "sync": error.report}
    job.save(update_fields=["report", "touched"])


def _recheck(job: Job) -> Permit:
    """The gate's question at release: is everything still as it was admitted?"""
    portrait = consents.open_portrait(job.portrait_id, tenant=job.tenant, purpose_consent=job.consent_id)
    inputs = (authority.source_claim(portrait), authority.target_claim(job))
    return authority.recheck(job, inputs=inputs, models=loaded.face_models(), now=timezone.now())


def _requirement(job: Job, plan: MarkPlan) -> Requirement:
    """What the output must carry: asked anew, whatever the rows say.

    Raises:
        MarksMissingError: the plan that the frames were made by lacks a mark.
        ExportError: the label is left out, and the statutory export was not approved.
    """
    if exporting.is_export(job):
        exporting.require_approved(job)
    return labelling.check_plan(job, plan, may_leave_label=exporting.is_export(job))


def _require_swap(job: Job) -> None:
    """Make sure that the likeness is on at least one frame: an untouched clip is not what was asked for.

    Raises:
        NoFaceError: it is on none.
    """
    if not any(
        report["swapped"] for report in Chunk.objects.filter(job=job).values_list("report", flat=True)
    ):
        raise NoFaceError("No face of the footage could be replaced: turned away, covered or too small.")


@contextmanager
def _footage(job: Job) -> Iterator[tuple[Path, Path | None]]:
    """The footage as a file, and the sound where it lies apart."""
    if performances.is_performance(job.media):
        with performances.unpacked(job.media, transitions.scratch(job.id)) as (still, sound):
            yield still, sound
        return
    yield blobs.store().path(job.media.sha256), None


def _order(job: Job, footage_file: Path, sound: Path | None) -> SealOrder:
    admitted = authority.Admission.from_record(job.decision["admission"])
    footage = admission.commitments(admitted.inputs, nonce=job.decision["nonce"])
    folder = transitions.scratch(job.id)
    index = job.admission_index or 0
    return SealOrder(
        chunks=tuple(folder / path for path in _paths(job)),
        footage=footage_file,
        info=MediaInfo.from_record(job.media.info),
        marks=MarkPlan.from_record(job.marking, mark_hex=job.mark_id or ""),
        carrier=loaded.carrier(job.tenant),
        produce_id=job.id.hex,
        credit_code=settings.LIKENESS_CREDIT_CODE,
        statement=ConsentStatement(
            consent=job.consent_id,
            log=settings.LIKENESS_LOG_ORIGIN,
            leaf=index,
            leaf_hash=job.decision["leaf"],
            policy=f"{authority.policy_claim().name}/{authority.policy_claim().version}",
        ),
        identity_commitment=footage[0],
        driving_commitment=footage[1],
        chain=loaded.keyring().credential_chain(),
        when=timezone.now(),
        container=job.container,
        sound=sound,
    )


def _paths(job: Job) -> list[str]:
    return list(Chunk.objects.filter(job=job).order_by("index").values_list("path", flat=True))


def _deliver(job: Job, sealed: Sealed, permit: Permit, lease: Lease, *, sync: dict[str, Any]) -> None:
    """Store the files, then close the job; stored files of a job that ended meanwhile are removed again."""
    stored = delivery.store(sealed)
    try:
        lease.check()
        with transaction.atomic():
            row = transitions.lock(job.id)
            if row.state != JobState.SEALING:
                raise AlreadyOverError(f"Job {row.id} is {row.state}.")
            if not authority.epochs_are(row, permit.licences):
                raise PermitError("licences", "a consent was revoked while the output was sealed")
            if not releasing.is_compared(row):
                raise StaleFramesError
            marks = {"profile": row.labelling["profile"], "applied": list(sealed.marks)}
            report = report_of(row) | {"marks": marks | {"sound": sealed.sound.as_record()}}
            if sync:
                report["sync"] = sync
            delivery.write(row, sealed, stored, report=report)
            prints.keep(row, sealed.content)
            _log(row, sealed)
            if exporting.is_export(row):
                exporting.deliver(row, output=sealed.sha256, at=timezone.now())
            hooks.job_ended(row)
    except BaseException:
        delivery.discard(stored)
        raise


def _log(row: Job, sealed: Sealed) -> None:
    by = transitions.system(row.tenant)
    audit.append(
        LabelApplied(
            job=row.id.hex,
            label=row.labelling["form"],
            algorithm=ALGORITHM,
            mark=row.mark_id or "",
            produce_id=row.id.hex,
            manifest=sealed.manifest_sha256,
            profile=row.labelling["profile"],
            marks=sealed.marks,
        ),
        actor=by,
    )
    audit.append(
        GenerationFinished(
            job=row.id.hex,
            attempt=max(row.report["attempts"], 1),
            output=sealed.sha256,
            bytes=sealed.size_bytes,
            mime=sealed.mime,
            frames=row.report["frames"],
            similarity_ppm=admission.ppm(row.report["similarity_mean"]),
            skipped=row.report["frames"] - min(row.report["frames"], row.report["swapped"]),
            models=tuple(item["sha256"] for item in row.decision["admission"]["models"]),
            params=row.mode,
        ),
        actor=by,
    )


def report_of(job: Job) -> dict[str, Any]:
    """The job's report: the chunks' figures added up, times as means over all frames."""
    chunks = list(Chunk.objects.filter(job=job).order_by("index"))
    reports = [chunk.report for chunk in chunks]
    distances = [value for report in reports for value in report["similarity"]]
    counted = (
        "frames",
        "detections",
        "embedded",
        "swapped",
        "kept",
        "profile",
        "no_face",
        "low_coverage",
        "tracks",
    )
    total: dict[str, Any] = {name: sum(report[name] for report in reports) for name in counted}
    total["similarity"] = distances
    total["similarity_mean"] = sum(distances) / len(distances) if distances else 0.0
    total["notes"] = list(dict.fromkeys(note for report in reports for note in report["notes"]))
    total["stage_ms"] = _mean_stages(reports)
    given_up = lipsync.warnings_of(job.report)
    if driving := lipsync.added_up(reports, given_up=given_up):
        total[lipsync.REPORT] = driving
    total[remarking.RETRIES] = job.report.get(remarking.RETRIES, 0)
    total[remarking.READABLE] = True  # what could not be read back does not come here
    total["attempts"] = max(chunk.attempts for chunk in chunks) + total[remarking.RETRIES] + bool(given_up)
    total["reused"] = _reused(chunks)
    total["encoder"] = planner.encoder_of(job.mode, performed=performances.is_performance(job.media))
    total["alarms"] = alarms(total, review=job.report.get("review"))
    return total


def _reused(chunks: Sequence[Chunk]) -> dict[str, int]:
    """How many sentences and frames were taken over from an earlier video; empty when none were."""
    taken = [chunk for chunk in chunks if chunk.plan.get("taken_from") is not None]
    if not taken:
        return {}
    return {
        "sentences": sum(len(chunk.plan["keys"]) for chunk in taken),
        "frames": sum(chunk.frames for chunk in taken),
    }


def alarms(total: dict[str, Any], *, review: float | None) -> list[str]:
    """What somebody should look at before the output is used."""
    found = []
    frames = max(1, total["frames"])
    if total["low_coverage"] > frames // 10:
        found.append("coverage.low")
    if total["profile"] > frames // 10:
        found.append("pose.profile")
    if review is not None and total["similarity"] and total["similarity_mean"] > review:
        found.append("similarity.low")
    return found


def _mean_stages(reports: list[dict[str, Any]]) -> dict[str, float]:
    frames = max(1, sum(report["frames"] for report in reports))
    names = {name for report in reports for name in report["stage_ms"]}
    return {
        name: round(
            sum(report["stage_ms"].get(name, 0.0) * report["frames"] for report in reports) / frames, 3
        )
        for name in sorted(names)
    }
