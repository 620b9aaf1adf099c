"""Sentences that were said, kept for a while: an edited script says only what changed.

- In the memory of this process, bounded in octets and in time; nothing is written to disk. The keys that
  could encrypt it at rest are consent's alone (only consent opens the vault), so at rest there is nothing.
- A sentence belongs to the voice's owner: the owner is part of its key, so nobody is given another's voice,
  and ``forget`` drops all that one owner said, once a licence is refused.
- Places in the script are kept from the sentence's own start: a sentence that moved is still the same one.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from threading import Lock
from typing import Any

from generation.presenter.script import Part, Run, Segment
from generation.presenter.speech import Speech, Voice
from generation.presenter.ssml import Mark, Pause

SIZE_MAX = 1 << 26
"""Octets of sound: 64 MiB is 25 minutes at 22,050 Hz."""
AGE_MAX_S = 3600.0


@dataclass(frozen=True, slots=True)
class _Kept:
    speech: Speech
    since_s: float


class SpeechCache:
    """Speech by key, the least recently used dropped first; safe between threads."""

    def __init__(
        self,
        *,
        size_max: int = SIZE_MAX,
        age_max_s: float = AGE_MAX_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._size_max, self._age_max_s, self._clock = size_max, age_max_s, clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str, segment: Segment) -> Speech | None:
        """What was said under this key, with its places in the segment's script."""
        with self._lock:
            self._expire()
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
        return _moved(found.speech, segment.start)

    def put(self, key: str, segment: Segment, speech: Speech) -> None:
        """Keep what was said; too long a sentence is not kept."""
        if speech.pcm.nbytes > self._size_max:
            return
        own = _moved(replace(speech, pcm=speech.pcm.copy()), -segment.start)
        own.pcm.setflags(write=False)
        with self._lock:
            self._drop(key)
            self._kept[key] = _Kept(own, self._clock())
            self._size += own.pcm.nbytes
            while self._size > self._size_max:
                self._drop(next(iter(self._kept)))

    def forget(self, licence: str) -> int:
        """Drop everything in a voice of this owner; how many sentences."""
        with self._lock:
            gone = [key for key, each in self._kept.items() if each.speech.voice.licence == licence]
            for key in gone:
                self._drop(key)
        return len(gone)

    def _expire(self) -> None:
        oldest = self._clock() - self._age_max_s
        for key in [key for key, each in self._kept.items() if each.since_s < oldest]:
            self._drop(key)

    def _drop(self, key: str) -> None:
        if (gone := self._kept.pop(key, None)) is not None:
            self._size -= gone.speech.pcm.nbytes


def key_of(segment: Segment, *, voice: Voice, engine: str) -> str:
    """SHA-256 over all that the sound depends on: words, manner, pauses, engine, voice and whose it is."""
    parts = _parts(segment.parts, segment.start)
    document = {"engine": engine, "voice": asdict(voice), "parts": parts}
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _parts(parts: Sequence[Part], start: int) -> list[list[Any]]:
    out: list[list[Any]] = []
    for part in parts:
        if isinstance(part, Run):
            pieces = [[each.spoken, each.start - start, each.end - start] for each in part.pieces]
            manner = [part.language.value, asdict(part.prosody), part.alphabet, part.phonemes]
            out.append(["run", pieces, *manner])
        elif isinstance(part, Pause):
            out.append(["pause", part.seconds])
        elif isinstance(part, Mark):
            out.append(["mark", part.name])
    return out


def _moved(speech: Speech, by: int) -> Speech:
    words = tuple(
        replace(each, char_start=each.char_start + by, char_end=each.char_end + by) for each in speech.words
    )
    return replace(speech, words=words)
