"""Several scenes in one video, as a request names them: words, place and size of the person, background.

One voice says them all. A scene begins with a sentence; its words are read by themselves, and all of them
are one script for the gate, the licence and the speech engine.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from generation.presenter.errors import SceneError, ScenesInvalidError, ScriptError, ScriptTooLongError
from generation.presenter.normalise import LENGTH_MAX, Language
from generation.presenter.script import Kind, Run, Script, Segment, read

SCENES_MAX = 20
FADE_MAX = 12
"""Frames: half a second, the most that the rest behind a sentence hides."""
SIZE_MIN, SIZE_MAX = 0.4, 1.2
SEPARATOR = "\n\n"
"""Between two scenes' words, where they are written as one."""
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_MEDIA = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Position(StrEnum):
    """Where the person stands."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


class Transition(StrEnum):
    """How a scene follows the one before."""

    CUT = "cut"
    FADE = "fade"


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """One scene as it is asked for. ``size``: share of the frame's height, 0 as the format has it.

    ``colour`` and ``background`` (id of an uploaded picture or video): empty as the whole video has them.
    """

    script: str
    position: Position = Position.CENTER
    size: float = 0.0
    colour: str = ""
    background: str = ""
    transition: Transition = Transition.CUT
    fade_frames: int = 0


def parse(document: object) -> tuple[SceneSpec, ...]:
    """Scenes as JSON has them: a list of objects, the place under ``layout``.

    Raises:
        ScenesInvalidError: with every fault by field.
    """
    if not isinstance(document, list | tuple) or not 0 < len(document) <= SCENES_MAX:
        raise ScenesInvalidError(
            "The scenes cannot be used.", faults={"scenes": f"1 to {SCENES_MAX} of them."}
        )
    faults: dict[str, str] = {}
    found = []
    for number, each in enumerate(document):
        plain, own = _plain(each)
        own |= _faults(plain, first=number == 0) if plain is not None else {}
        faults |= {f"scenes.{number}" + (f".{name}" if name else ""): text for name, text in own.items()}
        if plain is not None and not own:
            found.append(_spec(plain))
    if faults:
        raise ScenesInvalidError("The scenes cannot be used.", faults=faults)
    return tuple(found)


def read_scenes(
    sources: Sequence[str], *, language: Language, kind: Kind = Kind.TEXT
) -> tuple[Script, tuple[int, ...]]:
    """The scenes' words as one script, and how many sentences of it each scene has.

    Raises:
        ScriptError: as ``script.read``; names the scene.
    """
    if (length := sum(map(len, sources))) > LENGTH_MAX:
        raise ScriptTooLongError(f"The scenes have {length} characters of at most {LENGTH_MAX}.")
    scripts: list[Script] = []
    at = 0
    for number, source in enumerate(sources, 1):
        try:
            scripts.append(_moved(read(source, language=language, kind=kind), at))
        except ScriptError as error:
            error.args = (f"Scene {number}: {error}",)
            error.start, error.end = error.start + at, error.end + at if error.end else 0
            raise
        at += len(scripts[-1].text) + len(SEPARATOR)
    whole = Script(
        text=SEPARATOR.join(each.text for each in scripts),
        language=language,
        segments=tuple(segment for each in scripts for segment in each.segments),
        notices=tuple(notice for each in scripts for notice in each.notices),
        sha256=hashlib.sha256(SEPARATOR.join(sources).encode("utf-8", "surrogatepass")).hexdigest(),
    )
    return whole, tuple(len(each.segments) for each in scripts)


def as_records(specs: Sequence[SceneSpec], sentences: Sequence[int]) -> list[dict[str, Any]]:
    """What a presentation keeps beside ``written(specs)``: no words, only how many there are."""
    records = []
    for spec, count in zip(specs, sentences, strict=True):
        record = asdict(spec)
        records.append({"chars": len(record.pop("script")), "sentences": count, **record})
    return records


def written(specs: Sequence[SceneSpec]) -> str:
    """The scenes' words as a presentation keeps them."""
    return SEPARATOR.join(spec.script for spec in specs)


def sources_of(records: Sequence[Mapping[str, Any]], script: str) -> tuple[str, ...]:
    """Each scene's words out of ``written``.

    Raises:
        SceneError: they are not as long as the records say.
    """
    found, at = [], 0
    for record in records:
        found.append(script[at : at + record["chars"]])
        at += record["chars"] + len(SEPARATOR)
    if SEPARATOR.join(found) != script:
        raise SceneError("The scenes' words are not those of the presentation.")
    return tuple(found)


def _plain(each: object) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """The fields of one scene with those of its layout, None if it has none, and what is wrong with them."""
    if not isinstance(each, Mapping):
        return None, {"": "An object."}
    place = each.get("layout", {})
    if not isinstance(place, Mapping):
        return None, {"layout": "An object."}
    plain = {name: value for name, value in each.items() if name != "layout"}
    known = {field.name for field in fields(SceneSpec)} - {"position", "size"}
    faults = dict.fromkeys(map(str, set(plain) - known), "There is no such field.")
    unknown = set(place) - {"position", "size"}
    faults |= {f"layout.{name}": "There is no such field." for name in unknown}
    return {**plain, **place}, faults


def _faults(plain: Mapping[str, Any], *, first: bool) -> dict[str, str]:
    faults = {}
    script, size, colour = plain.get("script"), plain.get("size", 0.0), plain.get("colour", "")
    if not isinstance(script, str) or not script.strip():
        faults["script"] = "Words to say."
    if plain.get("position", "center") not in tuple(Position):
        faults["layout.position"] = f"One of {', '.join(Position)}."
    sized = not isinstance(size, bool) and isinstance(size, int | float)
    if not sized or not (size == 0 or SIZE_MIN <= size <= SIZE_MAX):
        faults["layout.size"] = f"A number from {SIZE_MIN} to {SIZE_MAX}."
    if not isinstance(colour, str) or not (colour == "" or _COLOUR.fullmatch(colour)):
        faults["colour"] = "# and six digits."
    background = plain.get("background", "")
    if not isinstance(background, str) or not (background == "" or _MEDIA.fullmatch(background)):
        faults["background"] = "The id of an uploaded picture or video."
    return faults | _transition_faults(plain, first=first)


def _transition_faults(plain: Mapping[str, Any], *, first: bool) -> dict[str, str]:
    how, count = plain.get("transition", "cut"), plain.get("fade_frames", 0)
    if how not in tuple(Transition):
        return {"transition": f"One of {', '.join(Transition)}."}
    if first and how != Transition.CUT:
        return {"transition": "Nothing comes before the first scene."}
    wanted = range(1, FADE_MAX + 1) if how == Transition.FADE else range(1)
    if isinstance(count, bool) or not isinstance(count, int) or count not in wanted:
        return {"fade_frames": f"1 to {FADE_MAX} of a fade, 0 of a cut."}
    return {}


def _spec(plain: Mapping[str, Any]) -> SceneSpec:
    given = {**plain, "size": float(plain.get("size", 0.0))}
    given["position"] = Position(plain.get("position", "center"))
    given["transition"] = Transition(plain.get("transition", "cut"))
    return SceneSpec(**given)


def _moved(script: Script, by: int) -> Script:
    """The script with its places counted from further left."""

    def part(each: Any) -> Any:
        if not isinstance(each, Run):
            return each
        pieces = (replace(piece, start=piece.start + by, end=piece.end + by) for piece in each.pieces)
        return replace(each, pieces=tuple(pieces))

    segments = (
        Segment(tuple(map(part, each.parts)), each.start + by, each.end + by) for each in script.segments
    )
    notices = (replace(each, start=each.start + by, end=each.end + by) for each in script.notices)
    return replace(script, segments=tuple(segments), notices=tuple(notices))
