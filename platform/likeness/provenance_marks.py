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
from watermark import contained
from watermark.contained import Bounds
from watermark.content import Timed
from watermark.detect import Detection, detect, read_mark
from watermark.errors import DecodeLimitError
from watermark.invisible import Carrier
from watermark.search import Tally
from watermark.sound_search import read_sound
from watermark.state import MarkState

BUDGET_S = 15.0
AGAIN_S = 8.0
"""Seconds for the search that tells a weak mark of one's own from somebody else's."""
_UNSEEN: dict[str, Any] = {"state": MarkState.ABSENT, "z": 0.0, "complete": True, "reason": ""}
"""As if no mark were there."""
DECODES = 1000
"""At most 1000 * 2^-40 = 9.1e-10 for all tenants, hypotheses and frames together."""


def of_tenant(path: Path, *, tenant: str, budget_s: float | None = None) -> Detection:
    """Every layer of a file as one tenant may see it; ``budget_s`` bounds each search.

    Raises:
        UnreadableError: it is no picture, no clip and no recording.
    """
    found = detect(
        path,
        carriers=[loaded.carrier(tenant)],
        anchors_pem=keyring().credential_chain().root_pem,
        budget_s=BUDGET_S if budget_s is None else budget_s,
        max_decodes=DECODES,
    )
    others = [loaded.carrier(each) for each in jobs.tenants() if each != tenant]
    if found.mark.state is MarkState.SUSPECTED and _picture_is_of(path, others):
        found = replace(found, mark=replace(found.mark, **_UNSEEN))
    if found.sound.state is MarkState.SUSPECTED and _sound_is_of(path, others):
        found = replace(found, sound=replace(found.sound, **_UNSEEN))
    return found


def of_all(path: Path, *, budget_s: float | None = None) -> tuple[Detection, list[Timed]]:
    """Every layer of a stranger's file with the keys of all tenants, and some of its frames, read by a child.

    A search that runs out of decodes is not complete.

    Raises:
        UnreadableError: it is no picture, no clip and no recording, or costs more than one file may.
    """
    keys = [loaded.carrier(tenant).keys for tenant in jobs.tenants()]
    anchors, bounds = keyring().credential_chain().root_pem, Bounds(max_decodes=DECODES)
    if budget_s is not None:
        bounds = replace(bounds, budget_s=budget_s)
    try:
        return contained.detect(path, keys=keys, anchors_pem=anchors, bounds=bounds)
    except DecodeLimitError:  # more keys than may be tried
        found, shown = contained.detect(path, keys=[], anchors_pem=anchors, bounds=bounds)
        return replace(found, mark=replace(found.mark, state=MarkState.SUSPECTED)), shown


def _picture_is_of(path: Path, others: list[Carrier]) -> bool:
    tally = Tally(budget_s=AGAIN_S, max_decodes=DECODES)
    try:
        found = read_mark(path, carriers=others, tally=tally, frame_limit=48)
    except DecodeLimitError:
        return False
    return found.state is MarkState.PRESENT


def _sound_is_of(path: Path, others: list[Carrier]) -> bool:
    keys = [carrier.keys for carrier in others]
    try:
        found = read_sound(path, keys=keys, budget_s=AGAIN_S, max_decodes=DECODES)
    except DecodeLimitError:
        return False
    return found.state is MarkState.PRESENT


def keyring() -> Any:
    """The keyring that settings name."""
    return import_string(settings.LIKENESS_KEYRING)()
