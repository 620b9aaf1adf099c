"""The detector with this installation's keys: those of one tenant, or of all for a public answer.

All tenants share the pilots of the hidden marks, so a mark of another tenant is seen but not read. It is
looked up with the other keys, and then nothing of it is told.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from generation import loaded
from generation import selectors as jobs
from watermark.detect import Detection, MarkRead, detect, read_mark
from watermark.errors import DecodeLimitError
from watermark.search import Tally
from watermark.state import MarkState

BUDGET_S = 15.0
AGAIN_S = 8.0
"""Seconds for the search that tells a weak mark of one's own from somebody else's."""
DECODES = 1000
"""At most 1000 * 2^-40 = 9.1e-10 for all tenants, hypotheses and frames together."""


def of_tenant(path: Path, *, tenant: str) -> Detection:
    """Every layer of a file as one tenant may see it.

    Raises:
        UnreadableError: it is no picture, no clip and no recording.
    """
    found = _detect(path, [tenant], budget_s=BUDGET_S, frame_limit=96)
    if found.mark.state is MarkState.SUSPECTED and _is_of_others(path, tenant=tenant):
        return replace(found, mark=_unseen(found.mark))
    return found


def of_all(path: Path, *, budget_s: float) -> Detection:
    """Every layer of a file with the keys of all tenants; a search that runs out of decodes is not complete.

    Raises:
        UnreadableError: it is no picture, no clip and no recording.
    """
    tenants = jobs.tenants()
    try:
        return _detect(path, tenants, budget_s=budget_s, frame_limit=48)
    except DecodeLimitError:
        found = _detect(path, [], budget_s=budget_s, frame_limit=1)
        return replace(found, mark=replace(found.mark, state=MarkState.SUSPECTED))


def _detect(path: Path, tenants: list[str], *, budget_s: float, frame_limit: int) -> Detection:
    return detect(
        path,
        carriers=[loaded.carrier(tenant) for tenant in tenants],
        anchors_pem=keyring().credential_chain().root_pem,
        budget_s=budget_s,
        frame_limit=frame_limit,
        max_decodes=DECODES,
    )


def _is_of_others(path: Path, *, tenant: str) -> bool:
    others = [loaded.carrier(each) for each in jobs.tenants() if each != tenant]
    if not others:
        return False
    tally = Tally(budget_s=AGAIN_S, max_decodes=DECODES)
    try:
        return read_mark(path, carriers=others, tally=tally, frame_limit=48).state is MarkState.PRESENT
    except DecodeLimitError:
        return False


def _unseen(read: MarkRead) -> MarkRead:
    """As if no mark were there."""
    return replace(read, state=MarkState.ABSENT, z=0.0, complete=True, reason="")


def keyring() -> Any:
    """The keyring that settings name."""
    return import_string(settings.LIKENESS_KEYRING)()
