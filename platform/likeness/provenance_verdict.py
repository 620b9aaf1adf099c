"""What the layers of a file say together, in one word, and why.

- ``ours``: the bytes were delivered, or a trusted credential says so; nothing contradicts.
- ``ours-altered``: a hidden mark of ours, and the pictures agree where they can be compared.
- ``conflict``: layers name different outputs, or a mark of ours stands on other pictures.
- ``undecided``: something was seen that could not be read, or the time was spent before all was tried.
- ``absent``: all was tried and nothing was found. That never means "not generated".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Verdict(StrEnum):
    """The answer in one word."""

    OURS = "ours"
    OURS_ALTERED = "ours-altered"
    CONFLICT = "conflict"
    ABSENT = "absent"
    UNDECIDED = "undecided"


class Why(StrEnum):
    """Why an answer is what it is; stable, for scripts and for translation."""

    MARK_UNKNOWN = "mark.unknown"
    MARKS_DIFFER = "marks.differ"
    CONTENT_DIFFERS = "content.differs"
    CONTENT_UNCOMPARED = "content.uncompared"
    CONTENT_REARRANGED = "content.rearranged"
    MARK_INVERTED = "mark.inverted"
    LABEL_UNSIGNED = "label.unsigned"
    CREDENTIAL_ELSEWHERE = "credential.elsewhere"
    MARK_SUSPECTED = "mark.suspected"
    SEARCH_INCOMPLETE = "search.incomplete"
    LOOKS_ALIKE = "looks.alike"


SENTENCES: Mapping[Why, str] = {
    Why.MARK_UNKNOWN: "A mark of ours names an output that has no record here.",
    Why.MARKS_DIFFER: "The marks name different outputs.",
    Why.CONTENT_DIFFERS: (
        "The mark is ours, but the picture is not the one that was delivered: the mark was copied."
    ),
    Why.CONTENT_UNCOMPARED: (
        "The pictures could not be compared with the record: that the mark was copied is not ruled out."
    ),
    Why.CONTENT_REARRANGED: "The pictures are those of the record, but in another order.",
    Why.MARK_INVERTED: "The mark was subtracted more than once: somebody tried to remove it.",
    Why.LABEL_UNSIGNED: "Only the label in the metadata names an output of ours, and anybody can write one.",
    Why.CREDENTIAL_ELSEWHERE: "The metadata is of this installation, but names no output of yours.",
    Why.MARK_SUSPECTED: "There are traces of a mark, too weak to be read.",
    Why.SEARCH_INCOMPLETE: "Not everything could be tried on this file.",
    Why.LOOKS_ALIKE: "It looks like an output of ours. That is a place to look, and no proof.",
}


class Content(StrEnum):
    """Whether the pictures of the file are those of the record that a mark names."""

    AGREES = "agrees"
    REARRANGED = "rearranged"
    DIFFERS = "differs"
    UNCOMPARED = "not-compared"


@dataclass(frozen=True, slots=True)
class Said:
    """What the layers say. ``named``: by layer, the asker's job that it names, None when it is not theirs."""

    exact: bool
    named: Mapping[str, UUID | None]
    content: Content
    suspected: bool
    complete: bool
    inverted: bool
    alike: bool


HIDDEN = ("invisible", "sound")
"""Layers that only a holder of the keys can write; a further mark in a sound is ``sound.1``."""


def judge(said: Said) -> tuple[Verdict, tuple[Why, ...]]:
    """The verdict and its reasons."""
    if said.exact:
        return Verdict.OURS, ()  # the very bytes that were delivered: nothing was pasted or exchanged
    against = _contradictions(said)
    if against:
        return Verdict.CONFLICT, against
    if said.named.get("c2pa") is not None:
        return Verdict.OURS, _notes(said)
    if any(said.named.get(layer) is not None for layer in HIDDEN):
        return Verdict.OURS_ALTERED, _notes(said)
    if said.named.get("aigc") is not None:
        agrees = said.content in {Content.AGREES, Content.REARRANGED}
        verdict = Verdict.OURS_ALTERED if agrees else Verdict.UNDECIDED
        return verdict, (Why.LABEL_UNSIGNED, *_notes(said))
    return _without_a_name(said)


def _contradictions(said: Said) -> tuple[Why, ...]:
    hidden = [job for layer, job in said.named.items() if layer.partition(".")[0] in HIDDEN]
    found = []
    if None in hidden:
        found.append(Why.MARK_UNKNOWN)
    # Metadata that names nothing of the asker's says nothing by itself, but it contradicts a mark that does.
    if len(set(said.named.values())) > 1:
        found.append(Why.MARKS_DIFFER)
    if said.content is Content.DIFFERS:
        found.append(Why.CONTENT_DIFFERS)
    return tuple(found)


def _notes(said: Said) -> tuple[Why, ...]:
    found = []
    marked = any(said.named.get(layer) is not None for layer in HIDDEN)
    if said.content is Content.REARRANGED:
        found.append(Why.CONTENT_REARRANGED)
    if said.content is Content.UNCOMPARED and marked:
        found.append(Why.CONTENT_UNCOMPARED)
    if said.inverted:
        found.append(Why.MARK_INVERTED)
    return tuple(found)


def _without_a_name(said: Said) -> tuple[Verdict, tuple[Why, ...]]:
    notes = [Why.CREDENTIAL_ELSEWHERE] if said.named else []
    if said.alike:
        notes.append(Why.LOOKS_ALIKE)
    if said.suspected:
        return Verdict.UNDECIDED, (Why.MARK_SUSPECTED, *notes)
    if not said.complete:
        return Verdict.UNDECIDED, (Why.SEARCH_INCOMPLETE, *notes)
    return Verdict.ABSENT, tuple(notes)
