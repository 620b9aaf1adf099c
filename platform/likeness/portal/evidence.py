"""Hits and evidence as files, for the browser and for programs."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from django.http import HttpResponse

from audit.events import Actor
from likeness import provenance_evidence, provenance_search
from likeness.portal.report import reports

EXPORT_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


def as_file(found: provenance_search.Results, kind: str) -> HttpResponse:
    """The hits as an attachment, ``json`` or ``csv``."""
    text = found.as_csv() if kind == "csv" else json.dumps(found.as_json(), ensure_ascii=False, indent=1)
    headers = {
        "Content-Disposition": f'attachment; filename="provenance.{kind}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return HttpResponse(text, content_type=EXPORT_TYPES[kind], headers=headers)


def evidence_file(job_id: str, *, by: Actor, pinned: str = "") -> HttpResponse:
    """The bundle of a job as an attachment."""
    with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
        out = Path(folder) / "bundle.zip"
        provenance_evidence.write_evidence(out, job_id=job_id, by=by, pinned=pinned, reports=reports)
        content = out.read_bytes()
    headers = {
        "Content-Disposition": f'attachment; filename="{job_id}.zip"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return HttpResponse(content, "application/zip", headers=headers)
