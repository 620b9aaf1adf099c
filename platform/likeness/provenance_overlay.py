"""The picture of where the invisible mark of a traced file was found; made when asked, never kept."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from generation import loaded
from generation import selectors as jobs
from likeness import provenance_content as pictures
from watermark.overlay import overlay

if TYPE_CHECKING:
    from likeness.provenance import Trace


def draw(path: Path, found: Trace, *, tenant: str) -> bytes | None:
    """A PNG, or None when no invisible mark of the tenant was read."""
    shown = pictures.seen(path)
    if found.geometry is None or not shown:
        return None
    return overlay(shown, found.geometry, loaded.carrier(tenant), original_px=_delivered_px(found.job))


def as_address(png: bytes) -> str:
    """A ``data:`` address, for a page or an answer that brings the picture along."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _delivered_px(job_id: str) -> tuple[int, int] | None:
    """Width and height of the output, as it was planned."""
    job = jobs.by_id(job_id) if job_id else None
    plan = job.marking if job is not None else {}
    return (plan["width_px"], plan["height_px"]) if {"width_px", "height_px"} <= plan.keys() else None
