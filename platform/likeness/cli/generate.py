"""``likeness swap | jobs``: put a licensed face onto footage, and see what became of the jobs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.cli.arguments import Verbs, add_account, add_verb
from likeness.cli.output import Exit, Printer, Result
from likeness.cli.session import actor, open_platform, working

if TYPE_CHECKING:
    from audit.events import Actor


def register(verbs: Verbs) -> None:
    """Add the verbs."""
    swapping = add_verb(verbs, "swap", "Put a licensed face onto footage; waits for the sealed file.", swap)
    swapping.add_argument("--identity", required=True, metavar="ID")
    swapping.add_argument("--target", required=True, type=Path, metavar="FILE")
    swapping.add_argument("--purpose", required=True)
    swapping.add_argument("--channel", required=True)
    swapping.add_argument("--territory", default="CN")
    swapping.add_argument("--language", default="zh")
    swapping.add_argument("--out", required=True, type=Path, metavar="FILE")
    add_account(swapping)
    listing = add_verb(verbs, "jobs", "List jobs, show one, or cancel one.", jobs)
    listing.add_argument("job", nargs="?")
    listing.add_argument("--cancel", action="store_true")
    listing.add_argument("--limit", type=int, default=20)
    add_account(listing)


def swap(args: argparse.Namespace, printer: Printer) -> Result:
    """Upload, submit, wait with progress, and write the sealed file to ``--out``."""
    open_platform()
    from generation import services
    from generation.services import JobRequest
    from likeness import follow

    by = actor(args, "requester")
    with args.target.open("rb") as footage:
        media = services.upload(footage, name=args.target.name, by=by)
    with working(printer):
        request = JobRequest(
            identity_id=args.identity,
            media_id=str(media.id),
            purpose=args.purpose,
            channel=args.channel,
            territory=args.territory,
            language=args.language,
            container=args.out.suffix.lower().lstrip("."),
        )
        job = services.submit(request, by=by)
        printer.progress(f"job {job.id} submitted")
        job = wait(str(job.id), by=by, printer=printer)
    if job.state != "done":
        return _not_done(job)
    follow.take_out(str(job.id), args.out, by=by)
    document = {**row(job), "out": str(args.out)}
    return Result(
        document, [f"{args.out}: job {job.id}, {job.output_bytes} bytes, sha256 {job.output_sha256}"]
    )


def wait(job_id: str, *, by: Actor, printer: Printer) -> Any:
    """The job when it has ended; shows stage and progress on the way."""
    from likeness import follow

    stage = ""

    def watch(state: str, share: float) -> None:
        nonlocal stage
        if state != stage:
            stage = state
            printer.progress(f"job {job_id}: {state}")
        printer.bar(state, share)

    return follow.until_ended(job_id, by=by, watch=watch)


def jobs(args: argparse.Namespace, _printer: Printer) -> Result:
    """The latest jobs, or one."""
    open_platform()
    from generation import selectors, services

    by = actor(args)
    if not args.job:
        found = selectors.jobs(tenant=by.tenant, limit=args.limit).results
        lines = [
            f"{job.id}  {job.state:<10} {selectors.progress(job).fraction:4.0%}  {job.code}" for job in found
        ]
        return Result({"jobs": [row(job) for job in found]}, lines or ["No jobs yet."])
    job = services.cancel(args.job, by=by) if args.cancel else selectors.job(args.job, tenant=by.tenant)
    lines = [f"{job.id}  {job.state}  {job.message}".rstrip(), *([job.hint] if job.hint else [])]
    return Result(row(job), lines)


def row(job: Any) -> dict[str, object]:
    """A job as scripts see it."""
    return {
        "job": str(job.id),
        "state": str(job.state),
        "consent": job.consent_id,
        "identity": job.identity_id,
        "purpose": job.purpose,
        "channel": job.channel,
        "mark": job.mark_id or "",
        "profile": str(job.labelling.get("profile", "")),
        "label": str(job.labelling.get("text", "")),
        "output": job.output_sha256,
        "code": job.code,
        "message": job.message,
        "hint": job.hint,
        "reasons": list(job.reasons),
    }


def _not_done(job: Any) -> Result:
    ends = {"refused": Exit.REFUSED}
    lines = [f"{job.message or job.state}  [{job.code}]", job.hint]
    return Result(row(job), lines, ends.get(str(job.state), Exit.FAILED))
