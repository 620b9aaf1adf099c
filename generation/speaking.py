"""The voices and speech engines of this site: which there are, whether they may be used, and who says what.

A voice is a likeness: a person's needs that person's licence for the operation ``voice``, for this purpose,
channel, language and time, beside the licence of the face. It is asked before the log is written, again
before a word is said, and once more for the seconds that were really said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from consent import selectors as consents
from consent.errors import ConsentError
from consent.licence import Use
from generation import voicing
from generation.presenter.cast import Cast
from generation.presenter.errors import SpeechUnavailableError
from generation.presenter.espeak import EspeakEngine
from generation.presenter.http_engine import HttpEngine
from generation.presenter.outbound import checked
from generation.presenter.piper import PiperEngine
from generation.presenter.speech import Speech, SpeechEngine
from generation.presenter.speech_cache import SpeechCache
from generation.presenter.voices import Source, VoiceEntry

OPERATION = "voice"


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


def speech_engine() -> SpeechEngine:
    """The engine for one script: it finds the engine of each voice, which this process keeps.

    Raises:
        VoiceTableError: a table of the site is malformed.
    """
    return Cast(voicing.known(), engine=engine, cache=cache())


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
    config = voicing.http_config() if any(each.engine == Source.HTTP for each in voices) else None
    return {
        "voices": [{"id": each.id, "version": each.version, "licence": each.licence} for each in voices],
        "engine": spoken.engine,
        "timing": spoken.timing.value,
        "sent_to": checked(config.target).hostname or "" if config is not None else "",
    }


@lru_cache(maxsize=1)
def cache() -> SpeechCache:
    """What this process said lately."""
    return SpeechCache()
