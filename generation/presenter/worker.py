"""A speech worker in a process of its own: JSON lines in, JSON lines with sound behind them out.

A worker that dies, hangs or answers nonsense is killed and started again once; then the request fails. It is
started by exec with no environment but the path, so that it inherits neither keys nor sockets.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from generation.presenter.errors import SpeechFailedError

LINE_MAX = 1 << 22
SOUND_MAX = 1 << 28
"""Octets of one answer: 256 MiB is an hour and a half at 22,050 Hz."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A worker's answer; ``pcm`` are the octets behind its line."""

    fields: Mapping[str, Any]
    pcm: bytes


class Worker:
    """One process, one request at a time; not thread-safe."""

    def __init__(self, command: Sequence[str], *, timeout_s: float = 10.0) -> None:
        self._command, self._timeout_s = list(command), timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: Mapping[str, object]) -> Answer:
        """Send one request; a dead or hanging worker gets a second try.

        Raises:
            SpeechFailedError: both tries failed.
        """
        try:
            return self._ask(request)
        except (OSError, ValueError, EOFError, TimeoutError):
            self.close()
        try:
            return self._ask(request)
        except (OSError, ValueError, EOFError, TimeoutError) as error:
            self.close()
            raise SpeechFailedError(f"The speech worker failed twice: {error or 'it ended'}.") from error

    def close(self) -> None:
        """End the process, at once."""
        process, self._process, self._pending = self._process, None, b""
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _ask(self, request: Mapping[str, object]) -> Answer:
        deadline = time.monotonic() + self._timeout_s
        if self._process is None:
            self._start()
            self._line(deadline)
        process = self._process
        if process is None or process.stdin is None:
            raise EOFError("it did not start")
        process.stdin.write(json.dumps(dict(request), ensure_ascii=False).encode() + b"\n")
        process.stdin.flush()
        fields = self._line(deadline)
        size = fields.get("bytes", 0)
        if not isinstance(size, int) or not 0 <= size <= SOUND_MAX:
            raise ValueError("it announced an impossible length")
        return Answer(fields, self._exactly(size, deadline))

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own file, or the operator's setting
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            close_fds=True,
        )

    def _line(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._pending:
            if len(self._pending) > LINE_MAX:
                raise ValueError("it answered without an end")
            self._pending += self._some(deadline)
        line, _, self._pending = self._pending.partition(b"\n")
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise ValueError("it did not answer with an object")
        return fields

    def _exactly(self, size: int, deadline: float) -> bytes:
        parts, have = [self._pending], len(self._pending)
        while have < size:
            parts.append(self._some(deadline))
            have += len(parts[-1])
        whole = b"".join(parts)
        self._pending = whole[size:]
        return whole[:size]

    def _some(self, deadline: float) -> bytes:
        process = self._process
        if process is None or process.stdout is None:
            raise EOFError("it is not running")
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError(f"no answer within {self._timeout_s:g} s")
        found = os.read(process.stdout.fileno(), 1 << 16)
        if not found:
            raise EOFError("it ended")
        return found
