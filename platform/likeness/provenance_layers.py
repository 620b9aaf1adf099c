"""What each layer of a file says, in one shape: state, statistic, bound, seconds, and what it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from likeness.provenance_content import Compared, Lookalike
from likeness.provenance_verdict import Content
from watermark.detect import Detection
from watermark.search import Geometry
from watermark.state import MarkState


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. ``statistic``: z of a hidden mark, or correlation; ``bound``: chance of a false hit."""

    name: str
    state: str
    statistic: float | None = None
    bound: float | None = None
    seconds: float = 0.0
    detail: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "detail": dict(self.detail)}


def layers_of(
    found: Detection,
    *,
    exact: bool,
    content: Compared,
    alike: Sequence[Lookalike],
    pictured: bool,
    seconds: Mapping[str, float],
) -> tuple[Layer, ...]:
    """Every layer in the order in which they are tried."""
    spent = {**found.seconds, **seconds}
    told = (
        Layer("sha256", "match" if exact else "unknown"),
        _credential(found),
        _label(found),
        _mark(found),
        _sound(found),
        _legacy(found),
        _perceptual(alike, content, pictured=pictured),
    )
    return tuple(
        Layer(one.name, one.state, one.statistic, one.bound, spent.get(one.name, 0.0), one.detail)
        for one in told
    )


def marks_of(layers: Sequence[Layer]) -> dict[str, dict[str, Any]]:
    """The marks by name, as scripts read them: state and detail in one."""
    marks = {"invisible", "aigc", "c2pa", "sound", "legacy"}
    return {one.name: {"state": one.state, **one.detail} for one in layers if one.name in marks}


def _credential(found: Detection) -> Layer:
    claim, statement = found.c2pa, found.c2pa.statement
    detail = {
        "mark": hex16(claim.mark_id),
        "consent": statement.consent if statement else None,
        "leaf": statement.leaf if statement else None,
        "failures": list(claim.failures),
    }
    return Layer("c2pa", claim.state.value, detail=detail)


def _label(found: Detection) -> Layer:
    read = found.label
    detail = {
        "produce_id": read.label.produce_id if read.label else None,
        "producer": read.label.content_producer if read.label else None,
        "reason": read.reason or None,
    }
    return Layer("aigc", read.state.value, detail=detail)


def _mark(found: Detection) -> Layer:
    mark = found.mark
    z = mark.z if mark.state in {MarkState.PRESENT, MarkState.SUSPECTED} else None
    detail = {
        "id": hex16(mark.mark_id),
        "z": z,
        "decodes": mark.decodes,
        "false_positive_bound": mark.false_positive_bound,
        "frames": mark.frames,
        "seconds": mark.seconds,
        "tampered": mark.inverted,
        "geometry": told_geometry(mark.geometry) if mark.geometry else None,
        "reason": mark.reason or None,
    }
    bound = mark.false_positive_bound if mark.state is MarkState.PRESENT else None
    return Layer("invisible", mark.state.value, z, bound, detail=detail)


def _sound(found: Detection) -> Layer:
    sound = found.sound
    z = sound.z if sound.state in {MarkState.PRESENT, MarkState.SUSPECTED} else None
    bound = sound.false_positive_bound if sound.state is MarkState.PRESENT else None
    detail = {
        "id": hex16(sound.mark_id),
        "z": z,
        "decodes": sound.decodes,
        "false_positive_bound": sound.false_positive_bound,
        "heard_s": sound.heard_s,
        "speed": sound.speed,
        "others": [hex16(other) for other in sound.others],
        "reason": sound.reason or None,
    }
    return Layer("sound", sound.state.value, z, bound, detail=detail)


def _legacy(found: Detection) -> Layer:
    read = found.legacy
    known = read.state.value == "recognised"
    detail = {"name": read.name or None, "method": read.method or None, "reason": read.reason or None}
    return Layer(
        "legacy",
        read.state.value,
        round(read.z, 2) if read.z else None,
        read.false_positive_bound if known else None,
        detail=detail,
    )


def _perceptual(alike: Sequence[Lookalike], content: Compared, *, pictured: bool) -> Layer:
    """Against the output that the marks name; without one, against all outputs."""
    detail = {"outputs": [one.as_json() for one in alike]}
    if content.state is not Content.UNCOMPARED:
        state = "differs" if content.state is Content.DIFFERS else "agrees"
        return Layer("perceptual", state, content.similarity, detail=detail)
    state = "alike" if alike else "none" if pictured else "not-run"
    return Layer("perceptual", state, alike[0].similarity if alike else None, detail=detail)


def told_geometry(geometry: Geometry) -> dict[str, Any]:
    """How the piece lies on the original."""
    return {
        "scale": round(geometry.scale, 4),
        "degrees": round(geometry.degrees, 3),
        "mirror": geometry.mirror,
        "quarter_turns": geometry.quarter_turns,
        "dy": round(geometry.dy, 2),
        "dx": round(geometry.dx, 2),
    }


def hex16(mark_id: int | None) -> str | None:
    """An id as it is written."""
    return None if mark_id is None else f"{mark_id:016x}"
