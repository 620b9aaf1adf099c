"""The last look at a sealed file before delivery: every mark is read back, or the file is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from watermark import c2pa, frames, metadata
from watermark.c2pa import C2paRead
from watermark.detect import MarkRead, MarkState, read_upright_mark
from watermark.errors import MarkUnreadableError, SoundLostError, VisibleLabelLostError
from watermark.invisible import Carrier
from watermark.metadata import AigcLabel
from watermark.payload import MarkKeys
from watermark.search import Tally
from watermark.sound_search import SoundRead, read_intact_sound
from watermark.visible import SEEN_MIN, Label

FRAMES = 24
BEFORE_END_S = 0.1  # a frame that begins so long before the label's end must show it
BUDGET_S = 60.0  # a busy machine; an intact mark is read in a second


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What a sealed file was seen to carry."""

    mark: MarkRead
    label: AigcLabel
    credential: C2paRead
    visible: tuple[float, ...] = ()
    """Correlation of the visible label on the first, middle and last frame; a picture is all three."""


def read_back(
    path: Path,
    *,
    carriers: Sequence[Carrier],
    mark_id: int,
    aigc_json: str,
    anchors_pem: str,
    visible: Label | None = None,
    visible_until_s: float = 0.0,
    store: bytes | None = None,
) -> ReadBack:
    """Read all marks of a sealed picture or clip.

    ``visible_until_s``: when the label ends; 0 is at the end of the clip. ``store``: the credential of a file
    that cannot hold it.

    Raises:
        MarkUnreadableError: the invisible mark does not give this id from 24 frames, upright.
        VisibleLabelLostError: the first, middle or last frame does not show the label.
        LabelLostError: the AIGC label is missing or not the one written, octet for octet.
        CredentialInvalidError: the credential is not Trusted under our root, or names another mark.
        UnreadableError: the file cannot be decoded.
    """
    credential = c2pa.check(path, anchors_pem, mark_id=mark_id, store=store)
    label = metadata.check_label(path, aigc_json)
    seen = check_visible(path, visible, until_s=visible_until_s) if visible else ()
    return ReadBack(check_mark(path, carriers=carriers, mark_id=mark_id), label, credential, seen)


def check_mark(path: Path, *, carriers: Sequence[Carrier], mark_id: int) -> MarkRead:
    """Read the invisible mark of an encoded file back.

    Raises:
        MarkUnreadableError: it does not give this id, the picture as it is.
    """
    found = read_upright_mark(path, carriers=carriers, tally=Tally(budget_s=BUDGET_S), frame_limit=FRAMES)
    if found.state is not MarkState.PRESENT:
        raise MarkUnreadableError(f"The mark of {path.name} is {found.state} after {found.frames} frames.")
    if found.mark_id != mark_id or found.inverted:
        raise MarkUnreadableError(f"{path.name} carries another mark than the one written.")
    return found


def check_visible(path: Path, label: Label, *, until_s: float = 0.0) -> tuple[float, ...]:
    """Look for the visible label on the first, middle and last frame that must show it.

    Raises:
        VisibleLabelLostError: one of them does not show it.
    """
    until_s = max(until_s - BEFORE_END_S, 0.0)
    seen = tuple(label.check(luma) for luma in frames.first_middle_last(path, until_s=until_s))
    if min(seen) < SEEN_MIN:
        raise VisibleLabelLostError(f"The label of {path.name} shows at only {min(seen):.2f} of {SEEN_MIN}.")
    return seen


def check_sound(path: Path, *, keys: MarkKeys, mark_id: int) -> SoundRead:
    """Read the sound mark of a finished file back, from as much of it as that takes.

    Raises:
        SoundLostError: it does not give this id.
        UnreadableError: the file cannot be decoded.
    """
    found = read_intact_sound(path, keys=[keys], budget_s=BUDGET_S, seconds_limit=math.inf)
    if mark_id not in (found.mark_id, *found.others):
        raise SoundLostError(f"The sound mark of {path.name} is {found.state} after {found.heard_s:.0f} s.")
    return found
