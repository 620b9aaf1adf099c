"""``likeness voices``: which voices there are, whose they are, and which engine says their words."""

from __future__ import annotations

import argparse

from generation import voicing
from generation.presenter.voices import VoiceEntry
from likeness.cli.arguments import Verbs, add_verb
from likeness.cli.output import Printer, Result


def register(verbs: Verbs) -> None:
    """Add the verb."""
    add_verb(verbs, "voices", "List the voices, whose they are, and check the tables in voices.d.", show)


def show(_args: argparse.Namespace, _printer: Printer) -> Result:
    """Every voice; a malformed table fails with its file and what is wrong in it."""
    entries = list(voicing.known().values())
    return Result({"voices": [_row(each) for each in entries]}, [_line(each) for each in entries])


def _row(entry: VoiceEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "languages": [each.value for each in entry.languages],
        "engine": entry.engine,
        "licence": entry.licence,
        "version": entry.version,
        "terms": entry.terms,
    }


def _line(entry: VoiceEntry) -> str:
    spoken = ", ".join(each.value for each in entry.languages)
    return (
        f"{entry.id:24} {spoken:8} {entry.engine:9} {entry.licence}{f' ({entry.terms})' * bool(entry.terms)}"
    )
