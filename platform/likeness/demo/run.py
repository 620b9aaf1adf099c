"""The demonstration from beginning to end, with the seconds that each step took."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.template.loader import render_to_string

from audit import selectors as log
from audit.bundle import verifier as verifier_source
from audit.events import Actor
from likeness import follow
from likeness.demo import clips, moments, samples, sheet, steps, teller

if TYPE_CHECKING:
    from consent.models import Identity
    from generation.models import Job
    from likeness.demo.teller import Clip
    from likeness.provenance import Trace


@dataclass(frozen=True, slots=True)
class Step:
    """One step and its seconds."""

    name: str
    seconds: float


@dataclass(slots=True)
class Demo:
    """One run: where it writes and who acts; ``wait`` gives a job when it has ended."""

    out: Path
    report: Callable[[str], None]
    wait: Callable[[str], Job]
    people: Mapping[str, Actor]
    watch: follow.Watch
    form: str = teller.LANDSCAPE
    portrait: Path | None = None
    target: Path | None = None
    timings: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Say what is being done, and how long it took."""
        began = time.perf_counter()
        self.report(f"• {name}")
        yield
        took = time.perf_counter() - began
        self.timings.append(Step(name, took))
        self.report(f"  {took:.1f} s")

    def run(self) -> dict[str, Any]:
        """Everything; the answer is what the command prints."""
        self.out = self.out.absolute()
        self.out.mkdir(parents=True, exist_ok=True)
        with self.step("Make the performer's clip from the second portrait"):
            target = self._footage()
        with self.step("Enrol two sample people; sign, and approve as different people"):
            likeness, performer = self._subjects(target)
        with self.step("Put the licensed face onto the clip, through the queue and the worker"):
            job = steps.generate(likeness.id, target, by=self.people["requester"], wait=self.wait)
            if job.state != "done":
                raise DemoError(f"Job {job.id} ended as {job.state}: {job.message}")
            follow.take_out(str(job.id), self.out / "swap.mp4", by=self.people["requester"])
        with self.step("Re-encode a copy at CRF 28 and trace it from its pixels"):
            trace = self._trace(job)
        with self.step("Have the licensed face say a script in Mandarin and in English"):
            said = self._said(likeness, performer)
        with self.step("Write the evidence bundle and verify it with nothing but Python"):
            entries, verified = self._evidence(job)
        with self.step("Ask for what is not allowed"):
            refused = self._refusals(target)
        with self.step("Draw the contact sheets and the summary"):
            self._pictures(target, said)
            self._summary(trace, said, entries, refused, verified)
        return self._answer(job, trace, said, refused, verified)

    def _picture(self) -> bytes:
        path = self.portrait or settings.LIKENESS_WEIGHTS / samples.TELLER.picture
        return path.read_bytes()

    def _teller(self) -> samples.Subject:
        if self.portrait is None:
            return samples.TELLER
        return replace(samples.TELLER, name=f"Sample teller ({self.portrait.name})")

    def _footage(self) -> Path:
        if self.target is not None:
            return self.target
        path = settings.LIKENESS_WORK / "demo" / "performer.mp4"
        if not path.is_file():  # it is made from the portrait alone, so the last run's is the same
            clips.write_performer(settings.LIKENESS_WEIGHTS / samples.PERFORMER.picture, path)
        return path

    def _subjects(self, target: Path) -> tuple[Identity, Identity]:
        """The likeness, and the performer whose portrait a script drives."""
        performer = samples.PERFORMER
        cast = [
            (self._teller(), self._picture()),
            (performer, (settings.LIKENESS_WEIGHTS / performer.picture).read_bytes()),
        ]
        if self.target is not None:
            filmed = replace(performer, name=f"Sample performer ({target.name})", status="living")
            cast.append((filmed, clips.clearest_face(target)))
        found = []
        for subject, picture in cast:
            identity = steps.enrol(subject, picture, people=self.people)
            steps.license_and_approve(identity, subject, people=self.people)
            self.report(f"  {subject.name}: {identity.id}, licence is a sample")
            found.append(identity)
        return found[0], found[1]

    def _said(self, likeness: Identity, performer: Identity) -> list[Clip]:
        return teller.film(
            likeness.id,
            performer.id,
            out=self.out,
            form=self.form,
            by=self.people["requester"],
            report=self.report,
            watch=self.watch,
        )

    def _trace(self, job: Job) -> Trace:
        from likeness import provenance

        copy = settings.LIKENESS_WORK / "demo" / "copy-crf28.mp4"
        clips.reencode(self.out / "swap.mp4", copy, crf=28)
        trace = provenance.trace(copy, by=self.people["auditor"])
        if trace.job != str(job.id) or trace.match != "present":
            raise DemoError(f"The copy traces to {trace.job or 'nothing'}, not to job {job.id}.")
        self.report(f"  found job {trace.job} under consent {trace.consent}; log proof {trace.proof}")
        return trace

    def _evidence(self, job: Job) -> tuple[Sequence[Any], str]:
        from likeness.portal.report import reports
        from likeness.provenance_evidence import write_evidence

        bundle = self.out / "bundle.zip"
        entries = write_evidence(bundle, job_id=str(job.id), by=self.people["auditor"], reports=reports)
        verifier, key = self.out / "verify.py", self.out / "log.vkey"
        verifier.write_text(verifier_source(), encoding="utf-8")
        key.write_text(f"{log.log_key()}\n")
        done = subprocess.run(  # noqa: S603  our own verifier on our own files
            [sys.executable, "-S", "-I", str(verifier), str(bundle), "--vkey", str(key)],
            capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
        if done.returncode:
            raise DemoError(f"The bundle does not verify: {done.stdout}{done.stderr}")
        last = done.stdout.strip().splitlines()[-1]
        self.report(f"  {last}")
        return entries, last

    def _refusals(self, target: Path) -> list[steps.Refusal]:
        unlicensed = replace(samples.TELLER, name="Sample without a licence")
        withdrawn = replace(samples.TELLER, name="Sample whose licence was withdrawn")
        ids = []
        for subject in (unlicensed, withdrawn):
            identity = steps.enrol(subject, self._picture(), people=self.people)
            if subject is withdrawn:
                consent = steps.license_and_approve(identity, subject, people=self.people)
                steps.revoke(consent, people=self.people)
            ids.append(identity.id)
        licensed = steps.enrol(self._teller(), self._picture(), people=self.people)
        cases = [
            ("A face without a licence", ids[0], samples.PURPOSE),
            ("A licensed face for another purpose (marketing)", licensed.id, samples.WRONG_PURPOSE),
            ("A face whose licence was withdrawn", ids[1], samples.PURPOSE),
        ]
        refused = steps.refusals(cases, target, by=self.people["requester"], wait=self.wait)
        for refusal in refused:
            self.report(f"  refused: {refusal.what} [{refusal.code}]")
        return refused

    def _pictures(self, target: Path, said: Sequence[Clip]) -> None:
        shares = (0.1, 0.35, 0.6, 0.85)
        portrait = clips.picture(self._picture())
        rows = [
            sheet.Row("Licensed portrait (sample) · 授权肖像（示例）", [portrait]),
            sheet.Row("Performer's footage · 表演者素材", sheet.frames_at(target, shares)),
            sheet.Row(
                "Result, labelled and marked · 带标识的成片", sheet.frames_at(self.out / "swap.mp4", shares)
            ),
        ]
        sheet.write_sheet(self.out / "sheet.png", title="Likeness: before and after", rows=rows)
        clips.write_png(self.out / "poster.png", rows[2].pictures[0])
        if said:
            moments.write(self.out / "teller-sheet.png", said)

    def _summary(
        self,
        trace: Trace,
        said: Sequence[Clip],
        entries: Sequence[Any],
        refused: Sequence[steps.Refusal],
        verified: str,
    ) -> None:
        facts = [
            ("Job", trace.job),
            ("Consent", trace.consent),
            ("Invisible mark", trace.marks["invisible"]["id"]),
            ("Who approved", ", ".join(trace.approvals) or "-"),
            ("Log entry", str(trace.leaf)),
            ("Proof", trace.proof),
        ]
        page = render_to_string(
            "demo/summary.html",
            {
                "facts": facts,
                "clips": said,
                "entries": entries,
                "refusals": refused,
                "verified": verified,
                "steps": self.timings,
                "portal": f"http://127.0.0.1:{settings.LIKENESS_PORT}",
            },
        )
        (self.out / "index.html").write_text(page, encoding="utf-8")

    def _answer(
        self,
        job: Job,
        trace: Trace,
        said: Sequence[Clip],
        refused: Sequence[steps.Refusal],
        verified: str,
    ) -> dict[str, Any]:
        return {
            "job": str(job.id),
            "video": str(self.out / "swap.mp4"),
            "sheet": str(self.out / "sheet.png"),
            "bundle": str(self.out / "bundle.zip"),
            "summary": str(self.out / "index.html"),
            "trace": trace.as_json(),
            "teller": [clip.as_json() for clip in said],
            "verified": verified,
            "refused": [{"what": item.what, "code": item.code, "message": item.message} for item in refused],
            "steps": [{"name": step.name, "seconds": round(step.seconds, 2)} for step in self.timings],
        }


class DemoError(Exception):
    """The demonstration did not show what it must show."""

    code = "demo.failed"
    hint = "Read the lines above, and the files in logs/ under LIKENESS_HOME."


def clear(out: Path) -> None:
    """Remove what an earlier run left, so that nothing old passes for new."""
    for name in ("swap.mp4", "sheet.png", "poster.png", "bundle.zip", "index.html", "verify.py", "log.vkey"):
        (out / name).unlink(missing_ok=True)
    for made in out.glob("teller-*"):
        made.unlink()
    shutil.rmtree(out / "log", ignore_errors=True)
