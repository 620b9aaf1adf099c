"""A stranger's file, read in a child process with hard limits: time, memory, and nothing written.

``detect`` starts ``python -m watermark.contained`` and waits; the child limits itself before it imports a
decoder, and answers with one JSON document. Whatever happens to it is an error that says so: no answer means
that the file could not be read. What the child says is data, never code.
"""

from __future__ import annotations

import base64
import json
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import numpy as np

from watermark.errors import DecodeLimitError, UnreadableError
from watermark.payload import MarkKeys

if TYPE_CHECKING:
    from watermark.content import Timed
    from watermark.detect import Detection

ROOT = Path(__file__).resolve().parents[1]
OPEN_FILES = 64
WRITTEN_BYTES = 1 << 20
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # each reserves memory


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one file may cost. ``budget_s`` bounds each search, the others the child itself."""

    budget_s: float = 8.0
    frame_limit: int = 48
    shown: int = 6
    max_decodes: int = 1000
    memory_bytes: int = 3 << 30
    cpu_s: int = 40
    wall_s: float = 60.0


def detect(
    path: Path, *, keys: Sequence[MarkKeys], anchors_pem: str, bounds: Bounds = Bounds()
) -> tuple[Detection, list[Timed]]:
    """Every layer of a file, and some of its frames, read by a child.

    Raises:
        UnreadableError: it cannot be read, or not within the bounds.
        DecodeLimitError: so many keys that the promised bound could not be kept.
    """
    request = {
        "path": str(path.absolute()),
        "keys": [[each.master.hex(), each.tenant] for each in keys],
        "anchors": anchors_pem,
        "bounds": asdict(bounds),
    }
    try:
        child = subprocess.run(
            [sys.executable, "-m", "watermark.contained"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=bounds.wall_s,
            cwd=ROOT,
            env={"LANG": "C.UTF-8", **_ONE_THREAD},  # no address or secret of the platform but the mark keys
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableError(f"{path.name} could not be read within {bounds.wall_s:.0f} s.") from error
    return _answer(path, child, bounds)


def _answer(
    path: Path, child: subprocess.CompletedProcess[str], bounds: Bounds
) -> tuple[Detection, list[Timed]]:
    from watermark.content import Timed
    from watermark.detect import Detection

    try:
        answer: dict[str, Any] = json.loads(child.stdout)
        if "error" not in answer:
            found: Detection = built(Detection, answer["found"])
            return found, [Timed(float(second), _plane(told)) for second, told in answer["shown"]]
    except (ValueError, KeyError, TypeError) as error:
        limits = f"{bounds.memory_bytes >> 20} MB and {bounds.cpu_s} s"
        raise UnreadableError(f"{path.name} could not be read within {limits}.") from error
    raise {"DecodeLimitError": DecodeLimitError}.get(answer["error"], UnreadableError)(str(answer["message"]))


def built(kind: Any, value: Any) -> Any:
    """A value of a type from plain JSON: dataclasses, enumerations, tuples, mappings and plain values.

    Raises:
        KeyError, TypeError, ValueError: it is no value of that type.
    """
    if get_origin(kind) is UnionType or kind is None:
        choices = [each for each in get_args(kind) if each is not type(None)]
        return None if value is None else built(choices[0], value)
    if get_origin(kind) is tuple:
        return tuple(built(get_args(kind)[0], item) for item in value)
    if get_origin(kind) is Mapping:
        return {str(key): built(get_args(kind)[1], item) for key, item in value.items()}
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: built(hints[field.name], value[field.name]) for field in fields(kind)})  # type: ignore[operator]  # a class
    if issubclass(kind, Enum):
        return kind(value)
    if not isinstance(value, (int, float) if kind is float else kind):
        raise TypeError(f"{value!r} is no {kind.__name__}.")
    return kind(value)


def _plane(told: Mapping[str, Any]) -> Any:
    raw = np.frombuffer(base64.b64decode(told["data"], validate=True), np.uint8)
    return raw.reshape(int(told["height"]), int(told["width"]))


# ---- the child ----------------------------------------------------------------------------------


def _limit(bounds: Mapping[str, Any]) -> None:
    """Bounds on this process; cannot be raised again."""
    for which, value in (
        (resource.RLIMIT_AS, bounds["memory_bytes"]),
        (resource.RLIMIT_CPU, bounds["cpu_s"]),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, WRITTEN_BYTES),
    ):
        resource.setrlimit(which, (int(value), int(value)))


def _serve(request: Mapping[str, Any]) -> dict[str, Any]:
    from watermark import (
        detect as detector,
    )  # after the limits, and never for a stranger's file in the parent
    from watermark.errors import WatermarkError
    from watermark.invisible import Carrier

    bounds, path = Bounds(**request["bounds"]), Path(request["path"])
    carriers = [Carrier(MarkKeys(bytes.fromhex(master), tenant)) for master, tenant in request["keys"]]
    try:
        found = detector.detect(
            path,
            carriers=carriers,
            anchors_pem=request["anchors"],
            budget_s=bounds.budget_s,
            frame_limit=bounds.frame_limit,
            max_decodes=bounds.max_decodes,
        )
        return {"found": asdict(found), "shown": _shown(path, bounds.shown)}
    except WatermarkError as error:
        return {"error": type(error).__name__, "message": str(error)}


def _shown(path: Path, count: int) -> list[Any]:
    """Frames at canonical size at most, which is all that a comparison needs."""
    import cv2

    from watermark import frames
    from watermark.invisible import canonical_size

    try:
        sampled = frames.sampled(path, count)
    except UnreadableError:
        return []
    told = []
    for second, luma in sampled:
        size = canonical_size(*luma.shape)
        if size[0] < luma.shape[1]:
            luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
        data = base64.b64encode(np.ascontiguousarray(luma).tobytes()).decode()
        told.append([second, {"height": luma.shape[0], "width": luma.shape[1], "data": data}])
    return told


if __name__ == "__main__":
    _request = json.load(sys.stdin)
    _limit(_request["bounds"])
    json.dump(_serve(_request), sys.stdout)
