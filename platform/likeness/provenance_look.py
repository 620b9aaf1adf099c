"""One file, looked at: the detector, the records and the thumbnails, and what they say together.

Cheap layers first: SHA-256, credential, AIGC label, invisible mark, sound, marks of other tools, likeness.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from generation import selectors as jobs
from likeness import provenance_content as pictures
from likeness import provenance_marks as marks
from likeness.provenance_content import Compared, Lookalike
from likeness.provenance_layers import Layer, hex16, layers_of
from likeness.provenance_verdict import HIDDEN, Content, Said, Verdict, Why, judge
from watermark.c2pa import C2paState
from watermark.content import Timed
from watermark.detect import Detection
from watermark.metadata import AigcState
from watermark.search import Geometry
from watermark.state import MarkState

if TYPE_CHECKING:
    from generation.models import Job


@dataclass(frozen=True, slots=True)
class Looked:
    """A file as the detector, the records and the thumbnails know it; ``named``: the job of each layer."""

    sha256: str
    found: Detection
    named: Mapping[str, Job | None]
    content: Compared
    alike: tuple[Lookalike, ...]
    verdict: Verdict
    reasons: tuple[Why, ...]
    layers: tuple[Layer, ...]

    @property
    def job(self) -> Job | None:
        """The job behind the file: that of the strongest layer that names one."""
        return next((job for job in self.named.values() if job is not None), None)


def look(path: Path, *, tenant: str | None, budget_s: float | None = None) -> Looked:
    """Read every layer and judge. Nothing is logged here.

    ``tenant`` None is for strangers: it looks through all tenants, in a child process, and for no likenesses.

    Raises:
        UnreadableError: it is no picture, no clip and no recording.
    """
    watch = _Watch()
    sha256 = _sha256(path)
    watch.lap("sha256")
    if tenant is None:
        found, shown = marks.of_all(path, budget_s=budget_s)
    else:
        found, shown = marks.of_tenant(path, tenant=tenant, budget_s=budget_s), pictures.seen(path)
    named = _named(found, sha256=sha256, tenant=tenant)
    named |= _best_of_several(named, found, shown, tenant=tenant)
    watch.lap("")
    content = _compared(found, named, shown)
    alike = pictures.lookalikes(shown, tenant=tenant) if tenant is not None else ()
    watch.lap("perceptual")
    verdict, reasons = judge(_said(found, named, content, alike=bool(alike)))
    layers = layers_of(
        found,
        exact="sha256" in named,
        content=content,
        alike=alike,
        pictured=bool(shown),
        seconds=watch.seconds,
    )
    return Looked(sha256, found, named, content, alike, verdict, reasons, layers)


def _named(found: Detection, *, sha256: str, tenant: str | None) -> dict[str, Job | None]:
    """The job that each layer names, strongest first; None for one that this tenant does not have."""
    named: dict[str, Job | None] = {}
    exact = _mine(jobs.by_output(sha256), tenant)
    if exact is not None:
        named["sha256"] = exact
    labelled: Job | None = None
    says_ours = found.label.state is AigcState.PRESENT and _ours(found)
    if says_ours and found.label.label is not None:
        labelled = _mine(jobs.by_id(found.label.label.produce_id), tenant)
    rather = [job.pk for job in (exact, labelled) if job is not None]

    def marked(mark_id: int) -> Job | None:
        return _mine(jobs.by_mark(hex16(mark_id) or "", rather=rather), tenant)

    if found.c2pa.state is C2paState.TRUSTED and found.c2pa.mark_id is not None:
        named["c2pa"] = marked(found.c2pa.mark_id)
    if found.mark.mark_id is not None:
        named["invisible"] = marked(found.mark.mark_id)
    # A second mark in one sound names another output, whoever put it there.
    for at, mark_id in enumerate([found.sound.mark_id, *found.sound.others]):
        if mark_id is not None:
            named["sound" if not at else f"sound.{at}"] = marked(mark_id)
    if says_ours and found.label.label is not None:
        named["aigc"] = labelled
    return named


def _ours(found: Detection) -> bool:
    """Whether the AIGC label names this installation as its producer; anybody's file carries one."""
    label = found.label.label
    return label is not None and settings.LIKENESS_CREDIT_CODE in label.content_producer


def _best_of_several(
    named: Mapping[str, Job | None], found: Detection, shown: list[Timed], *, tenant: str | None
) -> dict[str, Job | None]:
    """Whose pictures fit, where a script and its edit carry one id and no label tells them apart."""
    if found.mark.mark_id is None or found.mark.geometry is None or {"sha256", "aigc"} & named.keys():
        return {}
    sharing = [job for job in jobs.sharing_mark(hex16(found.mark.mark_id) or "") if job.output_sha256]
    if len(sharing) < 2:
        return {}
    geometry = found.mark.geometry
    fits = {job.pk: pictures.compared(job, shown, geometry) for job in sharing}
    order = (Content.AGREES, Content.REARRANGED)
    best = max(
        sharing,
        key=lambda job: (
            -order.index(fits[job.pk].state) if fits[job.pk].state in order else -len(order),
            fits[job.pk].similarity or 0.0,
        ),
    )
    same = {"invisible", "sound", "c2pa"} & named.keys()
    return {layer: _mine(best, tenant) for layer in same if named[layer] in sharing}


def _compared(found: Detection, named: Mapping[str, Job | None], shown: list[Timed]) -> Compared:
    """A hidden mark's place undoes what was done to the picture; a label has no place."""
    job = named.get("invisible")
    if job is not None and found.mark.geometry is not None:
        return pictures.compared(job, shown, found.mark.geometry)
    job = next((named[layer] for layer in ("sound", "aigc") if named.get(layer) is not None), None)
    return pictures.compared(job, shown, Geometry()) if job is not None else Compared(Content.UNCOMPARED)


def _said(found: Detection, named: Mapping[str, Job | None], content: Compared, *, alike: bool) -> Said:
    return Said(
        exact="sha256" in named,
        named={layer: job.id if job is not None else None for layer, job in named.items()},
        content=content.state,
        suspected=MarkState.SUSPECTED in {found.mark.state, found.sound.state},
        complete=found.mark.complete and found.sound.complete,
        inverted=found.mark.inverted and named.get(HIDDEN[0]) is not None,
        alike=alike,
    )


class _Watch:
    """Seconds between one lap and the next, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        if name:
            self.seconds[name] = round(now - self._last, 3)
        self._last = now


def _mine(job: Job | None, tenant: str | None) -> Job | None:
    """Another tenant's job is nobody's: the answer does not say that it exists."""
    return job if job is not None and tenant in {None, job.tenant} else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
