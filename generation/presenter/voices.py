"""Which voices there are, what they speak, and under which licence."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from generation.presenter.errors import VoiceMissingError
from generation.presenter.normalise import Language

SYNTHETIC = "synthetic"
"""Nobody's voice: made by rule."""


@dataclass(frozen=True, slots=True)
class VoiceEntry:
    """One voice; ``licence``: "synthetic", or the identity whose voice it is."""

    id: str
    languages: tuple[Language, ...]
    engine: str
    licence: str


@cache
def voices() -> dict[str, VoiceEntry]:
    """The voices that come with the platform, by id."""
    table = tomllib.loads(files("generation.presenter").joinpath("voices.toml").read_text("utf-8"))
    return {
        name: VoiceEntry(name, tuple(map(Language, row["languages"])), row["engine"], row["licence"])
        for name, row in table.items()
    }


def voice_for(voice_id: str, *, language: Language) -> VoiceEntry:
    """The voice of this id, or the first that speaks the language when none is named.

    Raises:
        VoiceMissingError: there is none.
    """
    if not voice_id:
        found = next((each for each in voices().values() if each.languages[0] is language), None)
    else:
        found = voices().get(voice_id)
    if found is None or language not in found.languages:
        raise VoiceMissingError(f"No voice {voice_id[:40] or 'at all'!r} speaks {language.value}.")
    return found
