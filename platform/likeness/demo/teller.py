"""The teller's clips: a short script in two languages, said by the licensed face."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generation import blobs
from generation.presenter.errors import SpeechUnavailableError
from likeness import follow
from likeness.demo.samples import CHANNEL, PURPOSE, SCRIPTS

if TYPE_CHECKING:
    from audit.events import Actor
    from generation.models import Presentation

LANDSCAPE = "landscape"


@dataclass(frozen=True, slots=True)
class Sound:
    """A mouth shape and when it begins and ends, as the job kept it; ``id`` as in ``presenter.visemes``."""

    id: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Clip:
    """One delivered clip; ``sync`` is what was measured on the finished file."""

    language: str
    script: str
    path: Path
    job: str
    state: str
    sync: Mapping[str, Any]
    sounds: Sequence[Sound]

    @property
    def figures(self) -> str:
        """The sync report in one line."""
        found = self.sync
        return (
            f"landmarks r {found['landmarks']['r']:.2f}, pixels r {found['pixels']['r']:.2f}, "
            f"sound r {found['sound']['r']:.2f}, sound {found['shift_ms']:+.0f} ms, "
            f"lips closed in {found['closures_held']} of {found['closures']} bilabials, "
            f"still in {found['silences_held']} of {found['silences']} silences"
        )

    def as_json(self) -> dict[str, Any]:
        """For the demo's answer."""
        return {
            "language": self.language,
            "script": self.script,
            "video": str(self.path),
            "job": self.job,
            "state": self.state,
            "sync": self.sync,
        }


def film(
    teller_id: str,
    performer_id: str,
    *,
    out: Path,
    form: str,
    by: Actor,
    report: Callable[[str], None],
    watch: follow.Watch,
) -> list[Clip]:
    """Both clips, asked for at once; none when no speech engine is installed, which is said.

    Raises:
        RefusedError: the gate refuses a script, a licence or a release.
        NotFilmedError: a presentation ended without a video.
    """
    from generation import presenting

    asked = {}
    for language, script in SCRIPTS.items():
        request = presenting.PresentRequest(
            identity_id=teller_id,
            performer_id=performer_id,
            script=script,
            purpose=PURPOSE,
            channel=CHANNEL,
            language=language,
            format=form,
        )
        asked[language] = presenting.present(request, client_id=presenting.new_client_id(), by=by).client_id
    clips = []
    for language, client_id in asked.items():
        row = follow.until_presented(client_id, by=by, watch=watch)
        if row.code == SpeechUnavailableError.code:
            report(f"  no clip in {language}: {row.message} {SpeechUnavailableError.hint}")
            continue
        clip = _take_out(row, out / f"teller-{language}.mp4", by=by)
        report(f"  {clip.path.name}: {clip.figures}")
        clips.append(clip)
    return clips


def _take_out(row: Presentation, path: Path, *, by: Actor) -> Clip:
    from generation import selectors

    state = selectors.presentation_state(row)
    if state != "succeeded" or row.job is None:
        why = row.message or (row.job.message if row.job is not None else "")
        raise NotFilmedError(f"The clip in {row.language} ended as {state}: {why}")
    follow.take_out(str(row.job.pk), path, by=by)
    follow.write_blob(row.srt_sha256, path.with_suffix(".srt"))
    follow.write_blob(row.vtt_sha256, path.with_suffix(".vtt"))
    sync = row.job.report["sync"]
    return Clip(row.language, row.script, path, str(row.job.pk), state, sync, _sounds(row, sync["frames"]))


def _sounds(row: Presentation, frames: int) -> list[Sound]:
    from generation.presenter.line import FPS

    with blobs.store().open(row.visemes_sha256) as stream:
        records = json.load(stream)
    times = [record["offset_ms"] / 1000 for record in records]
    ends = [*times[1:], frames / FPS]
    return [
        Sound(record["id"], start_s, end_s)
        for record, start_s, end_s in zip(records, times, ends, strict=True)
    ]


class NotFilmedError(Exception):
    """A presentation of the demo ended without a video."""

    code = "demo.not_filmed"
    hint = "Read the message, and the files in logs/ under LIKENESS_HOME."
