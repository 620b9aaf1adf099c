"""Which voices there are, what they speak, and whose they are.

A voice is a likeness. The table says of each voice whose it is:

- ``synthetic``: nobody's, made by rule; only the embedded engine has such voices;
- ``vendor``: a vendor's actor, who agreed with the vendor; ``terms`` names the contract that the site holds;
- ``idn_...``: a person of this platform, whose licence for the operation ``voice`` is asked at every use.

Voices that come with the platform are in voices.toml, a site's own in ``voices.d``/*.toml of its home::

    [wang - zh]
    languages = ["zh", "en"]  # the first is the one that it speaks when no voice is named
    engine = "http"  # espeak, http, piper or recorded
    licence = "idn_0123456789abcdef"
    name = "wang-neural"  # what the engine calls it; a file of the home for piper
    version = "2"  # change it when the voice was trained again
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from generation.presenter.errors import VoiceMissingError, VoiceTableError
from generation.presenter.normalise import Language
from generation.presenter.speech import Voice

SYNTHETIC = "synthetic"
"""Nobody's voice: made by rule."""
VENDOR = "vendor"
"""The voice of a vendor's actor, under the contract that ``terms`` names."""
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}[a-z0-9]")
_IDENTITY = re.compile(r"idn_[0-9a-f]{16}")
_LENGTHS = {"name": 120, "version": 40, "terms": 200}
_FIELDS = {"languages", "engine", "licence", "rate", *_LENGTHS}
_FILE_MAX = 1 << 18


class Source(StrEnum):
    """What says a voice's words."""

    ESPEAK = "espeak"
    HTTP = "http"
    PIPER = "piper"
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class VoiceEntry:
    """One voice; ``licence``: "synthetic", "vendor", or the identity whose voice it is."""

    id: str
    languages: tuple[Language, ...]
    engine: str
    licence: str
    name: str = ""
    version: str = "1"
    terms: str = ""
    rate: float = 1.0

    @property
    def identity(self) -> str:
        """Whose licence is asked; "" when the voice is nobody's here."""
        return "" if self.licence in (SYNTHETIC, VENDOR) else self.licence

    @property
    def voice(self) -> Voice:
        """What a speech engine is given."""
        return Voice(self.id, self.licence, self.rate, self.name, self.version)


@cache
def voices() -> dict[str, VoiceEntry]:
    """The voices that come with the platform, by id."""
    data = files("generation.presenter").joinpath("voices.toml").read_bytes()
    return {each.id: each for each in _entries("voices.toml", data)}


def load_voices(folder: Path | None) -> dict[str, VoiceEntry]:
    """The platform's voices and those of a site's ``folder``, by id.

    Raises:
        VoiceTableError: a file cannot be read, a table is malformed, or an id is used twice.
    """
    found = dict(voices())
    for path in sorted(folder.glob("*.toml")) if folder is not None and folder.is_dir() else ():
        try:
            if path.stat().st_size > _FILE_MAX:
                raise VoiceTableError(f"{path.name} has more than {_FILE_MAX} octets.")
            data = path.read_bytes()
        except OSError as error:
            raise VoiceTableError(f"{path.name} cannot be read: {error.strerror}.") from error
        for entry in _entries(path.name, data):
            if entry.id in found:
                raise VoiceTableError(f"{path.name}: the voice {entry.id} is there twice.")
            found[entry.id] = entry
    return found


def voice_for(
    voice_id: str, *, language: Language, known: Mapping[str, VoiceEntry] | None = None
) -> VoiceEntry:
    """The voice of this id, or the first synthetic one of the language when none is named.

    Raises:
        VoiceMissingError: there is none.
    """
    table = voices() if known is None else known
    if not voice_id:
        # a person's voice is chosen by name, never by default
        ours = (each for each in table.values() if each.licence == SYNTHETIC)
        found = next((each for each in ours if each.languages[0] is language), None)
    else:
        found = table.get(voice_id)
    if found is None or language not in found.languages:
        raise VoiceMissingError(f"No voice {voice_id[:40] or 'at all'!r} speaks {language.value}.")
    return found


def _entries(file: str, data: bytes) -> Iterator[VoiceEntry]:
    try:
        table = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise VoiceTableError(f"{file} is not TOML: {error}.") from None
    for voice_id, row in table.items():
        if fault := _fault(voice_id, row):
            raise VoiceTableError(f"{file}, [{voice_id[:80]}]: {fault}.")
        yield VoiceEntry(
            id=voice_id,
            languages=tuple(map(Language, row["languages"])),
            engine=row["engine"],
            licence=row["licence"],
            name=row.get("name", ""),
            version=row.get("version", "1"),
            terms=row.get("terms", ""),
            rate=float(row.get("rate", 1.0)),
        )


def _fault(voice_id: str, row: Any) -> str:
    """What is wrong with a table; "" for nothing."""
    if not _ID.fullmatch(voice_id):
        return "an id is 2 to 64 small letters, digits and hyphens"
    if not isinstance(row, dict):
        return "it is not a table"
    if unknown := sorted(set(row) - _FIELDS):
        return f"there is no field {', '.join(unknown)[:80]}"
    languages = row.get("languages")
    known = [each.value for each in Language]
    if not isinstance(languages, list) or not languages or any(each not in known for each in languages):
        return f"languages lists some of {', '.join(known)}"
    if len(set(languages)) != len(languages):
        return "a language is there twice"
    if row.get("engine") not in list(Source):
        return f"engine is one of {', '.join(Source)}"
    for name, most in _LENGTHS.items():
        value = row.get(name, "")
        if not isinstance(value, str) or len(value) > most or not value.isprintable():
            return f"{name} is a line of at most {most} characters"
    rate = row.get("rate", 1.0)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0.5 <= rate <= 2.0:
        return "rate is a number from 0.5 to 2"
    return _owner_fault(row)


def _owner_fault(row: Mapping[str, Any]) -> str:
    """A voice is nobody's only where a rule makes it, and a vendor's only under a contract."""
    licence, engine = row.get("licence"), row["engine"]
    if licence == SYNTHETIC:
        return "" if engine == Source.ESPEAK else "only a voice of espeak is synthetic: say whose it is"
    if engine == Source.ESPEAK:
        return "a voice of espeak is synthetic"
    if licence == VENDOR:
        if engine == Source.RECORDED:
            return "a recording is a person's: licence names the identity"
        return "" if row.get("terms", "").strip() else "terms names the contract with the vendor"
    if not isinstance(licence, str) or not _IDENTITY.fullmatch(licence):
        return "licence is an identity (idn_...), vendor or synthetic"
    return ""
