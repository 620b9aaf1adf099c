"""What a command prints: one JSON document or plain lines on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes; scripts rely on them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found: ``document`` for scripts, ``lines`` for people."""

    document: Mapping[str, Any]
    lines: Sequence[str]
    exit: Exit = Exit.DONE


class Printer:
    """Writes results, errors and progress in the form that the caller asked for."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._bar_width = 0

    def progress(self, text: str) -> None:
        """A line of progress for people, on stderr."""
        self._end_bar()
        print(text, file=sys.stderr, flush=True)  # noqa: T201  the command line's output

    def bar(self, text: str, share: float) -> None:
        """A progress bar that redraws itself on a terminal; ``share`` 0..1."""
        if not sys.stderr.isatty():
            return
        full = round(max(0.0, min(1.0, share)) * 30)
        line = f"  {'█' * full}{'░' * (30 - full)} {share:4.0%}  {text}"
        self._bar_width = max(self._bar_width, len(line))
        print(f"\r{line:<{self._bar_width}}", end="", file=sys.stderr, flush=True)  # noqa: T201

    def result(self, result: Result) -> None:
        """The command's one answer, on stdout."""
        self._end_bar()
        if self.as_json:
            print(json.dumps(result.document, ensure_ascii=False, indent=2))  # noqa: T201
        else:
            print("\n".join(result.lines))  # noqa: T201

    def error(self, code: str, message: str, hint: str, **more: Any) -> None:
        """Why it did not work and what to do next."""
        self._end_bar()
        if self.as_json:
            document = {"code": code, "message": message, "hint": hint, **more}
            print(json.dumps(document, ensure_ascii=False, indent=2))  # noqa: T201
        else:
            print(f"{message}  [{code}]\n{hint}", file=sys.stderr)  # noqa: T201

    def _end_bar(self) -> None:
        if self._bar_width:
            print(file=sys.stderr, flush=True)  # noqa: T201
            self._bar_width = 0
