"""The first decode of a foreign file, in a child process with hard limits.

``scan`` and ``scan_sound`` start ``python -m generation.engine.media.guarded`` and wait; the child limits
its own memory, CPU time, open files and core dumps before it imports the decoder, and answers with one JSON
document. Whatever happens to it (killed, out of memory, out of time) is an error that says so: no answer
means refused.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from generation.engine import errors
from generation.engine.errors import MediaError, TooLargeError, UnreadableMediaError, UnsupportedMediaError
from generation.engine.media.info import MediaInfo, MediaLimits
from generation.engine.media.sounds import SoundInfo, SoundLimits, check_sound

MEMORY_BYTES = 600 << 20  # refuses a frame of 8192 x 8192 early; a 4K file needs about 300 MB
CPU_S = 20
WALL_S = 60
OPEN_FILES = 64
ROOT = Path(__file__).resolve().parents[3]


def scan(path: Path, container: str, limits: MediaLimits) -> MediaInfo:
    """What ``scan.scan_video`` finds, asked of a limited child.

    Raises:
        MediaError: as the child says, or because the child ended without an answer.
    """
    request = {"path": str(path.absolute()), "container": container, "limits": asdict(limits)}
    return MediaInfo.from_record(_asked(request))


def scan_sound(path: Path, kind: str, limits: SoundLimits) -> SoundInfo:
    """What ``hearing.scan_sound`` finds, asked of a limited child once our own look at the file has passed.

    Raises:
        MediaError: as the child says, or because the child ended without an answer.
    """
    check_sound(path, kind, limits)
    request = {"path": str(path.absolute()), "sound": kind, "limits": asdict(limits)}
    return SoundInfo.from_record(_asked(request))


def _asked(request: dict[str, Any]) -> dict[str, Any]:
    try:
        child = subprocess.run(
            [sys.executable, "-m", "generation.engine.media.guarded"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=WALL_S,
            cwd=ROOT,
            env={
                "LANG": "C.UTF-8",
                "OPENBLAS_NUM_THREADS": "1",
            },  # no address or key of the platform is in reach of a decoder
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TooLargeError("The time to read the file in seconds", value=WALL_S, limit=WALL_S) from error
    return _answer(child)


def _answer(child: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(child.stdout)
    except ValueError:
        raise UnreadableMediaError(
            f"The decoder gave up on the file within {MEMORY_BYTES >> 20} MB and {CPU_S} s "
            f"(status {child.returncode})."
        ) from None
    if "info" in answer:
        info: dict[str, Any] = answer["info"]
        return info
    if answer["error"] == "TooLargeError":
        raise TooLargeError(answer["what"], value=answer["value"], limit=answer["limit"])
    kind = {c.__name__: c for c in (UnreadableMediaError, UnsupportedMediaError)}.get(
        answer["error"], MediaError
    )
    raise kind(answer["message"])


def _limit() -> None:
    """Bounds on this process; cannot be raised again."""
    for which, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(which, (value, value))


def _serve(request: dict[str, Any]) -> dict[str, Any]:
    try:
        info = _scanned(Path(request["path"]), request)
    except TooLargeError as error:
        return {"error": "TooLargeError", "what": error.what, "value": error.value, "limit": error.limit}
    except errors.EngineError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except MemoryError:
        return {"error": "UnreadableMediaError", "message": "The file needs too much memory to decode."}
    return {"info": info.as_record()}


def _scanned(path: Path, request: dict[str, Any]) -> MediaInfo | SoundInfo:
    # after the limits, and never in the parent
    if "sound" in request:
        from generation.engine.media import hearing

        return hearing.scan_sound(path, request["sound"], SoundLimits(**request["limits"]))
    from generation.engine.media import scan

    return scan.scan_video(path, request["container"], MediaLimits(**request["limits"]))


if __name__ == "__main__":
    _limit()
    json.dump(_serve(json.load(sys.stdin)), sys.stdout)
