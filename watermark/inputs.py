"""What footage says of its own origin, read before it is changed: kept as provenance, never believed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from watermark import c2pa, metadata, places
from watermark.c2pa import C2paState
from watermark.detect import read_upright_mark
from watermark.errors import ContainerError, WatermarkError
from watermark.invisible import Carrier
from watermark.manifests import InputStatement
from watermark.search import Tally

FRAMES = 1  # a second of CPU for more; what we delivered reads from one key frame
BUDGET_S = 10.0
SIGNER_MAX = 128
LABEL_MAX = 2048
"""Characters of a foreign label that our credential carries; it must stay small."""


def read_input(path: Path, *, carriers: Sequence[Carrier], anchors_pem: str) -> InputStatement:
    """The AIGC label, the credential and the older mark of ours that a file carries.

    Nothing that is wrong with them stops a job: a label that cannot be read is noted as malformed. Only the
    seven fields of the label are kept, and only when they can be printed: what is noted here is signed later.
    """
    label = metadata.read_label(path)
    credential = c2pa.read(path, anchors_pem)
    absent = credential.state is C2paState.ABSENT
    return InputStatement(
        aigc_state=label.state,
        aigc=_canonical(label),
        credential=str(credential.state),
        signer="" if absent else _printable(credential.signer),
        manifest_sha256="" if absent else _digest(path),
        mark=_older_mark(path, carriers),
    )


def _canonical(label: metadata.AigcRead) -> str:
    try:
        text = label.label.to_json() if label.label else ""
    except WatermarkError:
        return ""
    return text if len(text) <= LABEL_MAX else ""


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:SIGNER_MAX]


def _digest(path: Path) -> str:
    try:
        store = places.manifest_store(path)
    except ContainerError:
        return ""
    return hashlib.sha256(store).hexdigest() if store else ""


def _older_mark(path: Path, carriers: Sequence[Carrier]) -> str:
    """An id of ours in the picture as it is; searched for no further: it is noted, nothing hangs on it."""
    try:
        tally = Tally(budget_s=BUDGET_S)
        found = read_upright_mark(path, carriers=carriers, tally=tally, frame_limit=FRAMES)
    except WatermarkError:
        return ""
    return f"{found.mark_id:016x}" if found.mark_id is not None else ""
