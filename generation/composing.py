"""What a request brings along besides its look: its words, in one piece or in scenes, and who says them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from generation import backdrops, recordings, selectors, speaking, templating, voicing
from generation.errors import NotFoundError, PresentInvalidError
from generation.models import Media, Presentation
from generation.presenter import storyboard
from generation.presenter.cast import voices_of
from generation.presenter.normalise import Language
from generation.presenter.script import Kind, Run, Script, read
from generation.presenter.templates import require_no_places
from generation.presenter.voices import VoiceEntry

if TYPE_CHECKING:
    from generation.presenting import PresentRequest

SECONDS_A_CHARACTER = {Language.ZH: 0.28, Language.EN: 0.085}
"""Of spoken text, at the usual rate: for the first estimate, before anything is said."""
LATER = ("recording", "voice_identity", "scenes", "transparent", "idle")
"""Fields that came later: while they are empty, a request is the one that it was before."""


def digest_of(request: PresentRequest) -> str:
    """SHA-256 of a request: the same one again is the same video."""
    plain = {name: value for name, value in asdict(request).items() if name not in LATER or value}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def words_of(request: PresentRequest, *, language: Language, kind: Kind) -> tuple[Script, tuple[int, ...]]:
    """The script, and how many sentences each scene has of it.

    Raises:
        PresenterError: it cannot be spoken as it stands.
        PresentInvalidError: there are scenes and a script.
    """
    if request.transparent and any(each.background or each.colour for each in request.scenes):
        raise _invalid("transparent", "A scene has a background: leave it out, or the background.")
    if not request.scenes:
        return read(request.script, language=language, kind=kind), ()
    if request.script.strip():
        raise _invalid("script", "The words are the scenes': leave the script out.")
    return storyboard.read_scenes([each.script for each in request.scenes], language=language, kind=kind)


def voices_for(request: PresentRequest, script: Script) -> tuple[VoiceEntry, ...]:
    """Who says it: the person of the recording, or every voice of the script, the main one first.

    Raises:
        PresentInvalidError: a recording without its owner, an owner without a recording, or other voices.
        VoiceMissingError, VoiceTableError: no such voice; a table of the site is malformed.
    """
    if not request.recording:
        if request.voice_identity:
            raise _invalid("recording", "Name the recording of this person, or a voice.")
        return voices_of(script, chosen=request.voice, known=voicing.known())
    if not request.voice_identity:
        raise _invalid("voice_identity", "Say whose voice the recording is.")
    parts = (part for segment in script.segments for part in segment.parts)
    if request.voice or any(isinstance(part, Run) and part.voice for part in parts):
        raise _invalid("voice", "A recording is one voice; name no other.")
    return (speaking.recorded_voice(request.voice_identity, script.language),)


def seconds_for(script: Script) -> int:
    """How long it will be, by a first estimate."""
    return math.ceil(len(script.spoken) * SECONDS_A_CHARACTER[script.language]) or 1


def recording_of(request: PresentRequest, *, tenant: str) -> Media | None:
    """The recording that a request names.

    Raises:
        PresentInvalidError: it is not here, or no recording.
    """
    return recordings.find(request.recording, tenant=tenant) if request.recording else None


def require_backgrounds(request: PresentRequest, *, tenant: str) -> None:
    """Make sure that what the scenes name is here.

    Raises:
        ScenesInvalidError: a background is not here, no picture, or too long.
    """
    backdrops.require_usable([each.background for each in request.scenes], tenant=tenant)


def require_idle(request: PresentRequest, *, tenant: str) -> None:
    """Make sure that the clip of the performer is here.

    Raises:
        PresentInvalidError: it is not, or it is no video.
    """
    if not request.idle:
        return
    try:
        media = selectors.media(request.idle, tenant=tenant)
    except NotFoundError:
        raise _invalid("idle", "Upload the clip first: there is none of this id.") from None
    if media.kind != "video":
        raise _invalid("idle", "This is no video.")


def scene_record(
    request: PresentRequest, sentences: Sequence[int], recording: Media | None
) -> dict[str, Any]:
    """What a presentation keeps of how it looks and sounds; no words."""
    record: dict[str, Any] = {
        "format": request.format,
        "colour": request.colour,
        "subtitles": request.subtitles,
    }
    if request.transparent:
        record["transparent"] = True
    if request.idle:
        record["idle"] = request.idle
    if request.scenes:
        record["scenes"] = storyboard.as_records(request.scenes, sentences)
    if recording is not None:
        record["recording"] = recordings.record_of(recording, identity_id=request.voice_identity)
    return record


def written(request: PresentRequest) -> str:
    """The words as a presentation keeps them."""
    return storyboard.written(request.scenes) if request.scenes else request.script


def script_of(row: Presentation) -> Script:
    """The script of a presentation, its scenes in one.

    Raises:
        PresenterError: it cannot be read any more.
    """
    language, kind = Language(row.language), Kind(row.kind)
    records = row.scene.get("scenes")
    if not records:
        return read(row.script, language=language, kind=kind)
    sources = storyboard.sources_of(records, row.script)
    return storyboard.read_scenes(sources, language=language, kind=kind)[0]


def filled(request: PresentRequest, pinned: templating.Pinned, *, tenant: str) -> PresentRequest:
    """The request with the values of its template's variables.

    Raises:
        TemplateInvalidError: its words name what the template does not have.
    """
    markup = request.kind == Kind.SSML

    def put(script: str) -> str:
        return templating.script_of(pinned, script, markup=markup, tenant=tenant)

    scenes = tuple(replace(each, script=put(each.script)) for each in request.scenes)
    return replace(request, script=put(request.script), scenes=scenes)


def require_plain(request: PresentRequest) -> None:
    """Make sure that no words have places for variables, for there is no template.

    Raises:
        TemplateInvalidError: they have.
    """
    for words in (request.script, *(each.script for each in request.scenes)):
        require_no_places(words)


def _invalid(name: str, message: str) -> PresentInvalidError:
    return PresentInvalidError(message, fields={name: [message]})
