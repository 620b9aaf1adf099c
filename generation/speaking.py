"""The voices and speech engines of this site: which there are, whether they may be used, and who says what.

A voice is a likeness: a person's needs that person's licence for the operation ``voice``, for this purpose,
channel, language and time, beside the licence of the face. It is asked before the log is written, again
before a word is said, and once more for the seconds that were really said. A recording is the voice of the
person whom the request names.

Before words go to an engine outside the house the log says so: which host, whose script, which voice, how
many characters. When it cannot be logged, nothing is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from audit import services as audit
from audit.events import Actor, ScriptSent
from consent import selectors as consents
from consent.errors import ConsentError
from consent.licence import Use
from generation import blobs, voicing
from generation.models import Presentation
from generation.presenter.cast import Cast, voices_of
from generation.presenter.errors import RecordingError, SpeechUnavailableError
from generation.presenter.espeak import EspeakEngine
from generation.presenter.http_engine import HttpEngine
from generation.presenter.normalise import Language
from generation.presenter.piper import PiperEngine
from generation.presenter.recorded import RecordedEngine, decoded
from generation.presenter.script import Run, Script, Segment
from generation.presenter.speech import Speech, SpeechEngine, Voice
from generation.presenter.speech_cache import SpeechCache
from generation.presenter.voices import Source, VoiceEntry

OPERATION = "voice"
RECORDED = "recording"
"""The id of the voice of a recording."""


def voices_of_tenant(tenant: str) -> tuple[VoiceEntry, ...]:
    """The voices that a tenant may hear of: nobody's, and those of its own people.

    Raises:
        VoiceTableError: a table of the site is malformed.
    """
    return tuple(each for each in voicing.known().values() if not each.identity or _ours(each, tenant))


def _ours(voice: VoiceEntry, tenant: str) -> bool:
    try:
        consents.identity(voice.identity, tenant=tenant)
    except ConsentError:
        return False
    return True


def reasons_against(voices: Iterable[VoiceEntry], *, tenant: str, use: Use, now: datetime) -> tuple[str, ...]:
    """Why these voices may not be used so; empty when they may. ``use`` is that of the face.

    What a refused voice said before is dropped from this process's memory.
    """
    found: list[str] = []
    for each in voices:
        if not each.identity:
            continue
        reasons = _permission(each, tenant=tenant, use=use, now=now)[1]
        if reasons:
            found += ("voice.no_licence", *reasons)
            cache().forget(each.licence)
    return tuple(dict.fromkeys(found))


def consents_of(voices: Iterable[VoiceEntry], *, tenant: str, use: Use, now: datetime) -> tuple[str, ...]:
    """The consents that these voices are used under, so that a revocation finds what they said."""
    answers = (_permission(each, tenant=tenant, use=use, now=now) for each in voices if each.identity)
    return tuple(dict.fromkeys(consent_id for consent_id, reasons in answers if consent_id and not reasons))


def _permission(voice: VoiceEntry, *, tenant: str, use: Use, now: datetime) -> tuple[str, tuple[str, ...]]:
    asked = replace(use, operation=OPERATION)
    try:
        answer = consents.permission(voice.identity, tenant=tenant, use=asked, now=now)
    except ConsentError:
        return "", ("gate.missing_fact",)
    return answer.consent_id or "", answer.reasons


def cast_of(row: Presentation, script: Script) -> tuple[VoiceEntry, ...]:
    """Every voice that a presentation is said by, the main one first.

    Raises:
        VoiceMissingError, VoiceTableError: one is not known any more; a table of the site is malformed.
    """
    if recording := row.scene.get("recording"):
        return (recorded_voice(recording["identity"], script.language, sha256=recording["sha256"]),)
    return voices_of(script, chosen=row.voice, known=voicing.known())


def recorded_voice(identity_id: str, language: Language, *, sha256: str = "") -> VoiceEntry:
    """The voice of a recording: it is that person's, and of this recording alone."""
    return VoiceEntry(
        id=RECORDED, languages=(language,), engine=Source.RECORDED, licence=identity_id, version=sha256 or "1"
    )


def engine_for(row: Presentation, script: Script) -> SpeechEngine:
    """What says the script of a presentation: its recording, or the engines of its voices.

    Raises:
        VoiceTableError: a table of the site is malformed.
        RecordingError: the recording is gone or cannot be read.
    """
    if recording := row.scene.get("recording"):
        if not blobs.store().exists(recording["sha256"]):
            raise RecordingError("The recording is gone.")
        pcm = decoded(blobs.store().path(recording["sha256"]))
        return RecordedEngine(script, pcm, reference=engine(Source.ESPEAK))
    actor = Actor(row.requester, row.tenant)
    return speech_engine(Departure(row.id.hex, commitment(row, script), actor, script, row.voice))


@dataclass(frozen=True, slots=True)
class Departure:
    """What the log is told before words of a script leave the house; ``commitment`` stands for the script."""

    job: str
    commitment: str
    actor: Actor
    script: Script
    voice: str

    def characters(self, voice_id: str) -> int:
        """How many of them a voice says."""
        runs = (part for each in self.script.segments for part in each.parts if isinstance(part, Run))
        return sum(len(run.spoken) for run in runs if (run.voice or self.voice) == voice_id)


def speech_engine(departure: Departure | None = None) -> SpeechEngine:
    """The engine for one script: it finds the engine of each voice, which this process keeps.

    Without a ``departure`` no word leaves the house.

    Raises:
        VoiceTableError: a table of the site is malformed.
    """
    told: set[str] = set()

    def found(source: str) -> SpeechEngine:
        inner = engine(source)
        return _Announced(inner, departure, told) if source == Source.HTTP else inner

    return Cast(voicing.known(), engine=found, cache=cache())


class _Announced:
    """An engine outside the house: the first words in each voice are logged before they go."""

    deterministic = False

    def __init__(self, inner: SpeechEngine, departure: Departure | None, told: set[str]) -> None:
        self.name = inner.name
        self._inner, self._departure, self._told = inner, departure, told

    def synthesize(self, segment: Segment, *, voice: Voice) -> Speech:
        """See ``SpeechEngine``.

        Raises:
            AuditError, DatabaseError: the log does not take it; nothing was sent.
        """
        if voice.id not in self._told:
            if self._departure is None:
                raise SpeechUnavailableError("This script may not be sent to an engine outside.")
            _announce(self._departure, voice)
            self._told.add(voice.id)
        return self._inner.synthesize(segment, voice=voice)


@transaction.atomic
def _announce(departure: Departure, voice: Voice) -> None:
    event = ScriptSent(
        job=departure.job,
        host=voicing.http_host(),
        script=departure.commitment,
        voice=voice.id,
        characters=departure.characters(voice.id),
    )
    audit.append(event, actor=departure.actor)


def commitment(row: Presentation, script: Script) -> str:
    """What the log holds of a script: words can be guessed, so only the holder of the nonce can link it."""
    return hashlib.sha256(f"{row.nonce}:script:{script.sha256}".encode()).hexdigest()


@lru_cache(maxsize=4)
def engine(source: str) -> SpeechEngine:
    """The engine of a voice table's ``engine``.

    Raises:
        SpeechUnavailableError: it is not installed, or not configured.
    """
    if source == Source.ESPEAK:
        return EspeakEngine()
    if source == Source.PIPER:
        return PiperEngine(Path(settings.LIKENESS_HOME) / voicing.SITE_MODELS)
    if source == Source.HTTP and (config := voicing.http_config()) is not None:
        return HttpEngine(config, reference=lambda: engine(Source.ESPEAK))
    raise SpeechUnavailableError(f"The engine {source} is not configured.")


def record(voices: Sequence[VoiceEntry], spoken: Speech) -> dict[str, Any]:
    """What a presentation's report holds of its sound; ``sent_to``: the host that got the words, or ""."""
    outside = any(each.engine == Source.HTTP for each in voices)
    return {
        "voices": [{"id": each.id, "version": each.version, "licence": each.licence} for each in voices],
        "engine": spoken.engine,
        "timing": spoken.timing.value,
        "sent_to": voicing.http_host() if outside else "",
    }


@lru_cache(maxsize=1)
def cache() -> SpeechCache:
    """What this process said lately."""
    return SpeechCache()
