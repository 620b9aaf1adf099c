# SPDX-License-Identifier: GPL-3.0-or-later
"""Piper in a process of its own; the only file that loads piper-tts, run by path and never imported.

run   python worker.py VOICES_FOLDER
in    one JSON line: {"text": str, "voice": "folder-relative.onnx", "rate": 1.0, "volume_db": 0.0}
out   one JSON line: {"ok": true, "sample_rate": 22050, "bytes": n, "phones": [[name, samples]]},
      then n octets of 16-bit PCM; or {"ok": false, "code": "voice" | "failed", "error": str}

Piper says what a phone is by its own model's alignments; a voice without them is refused, never guessed at.
"""

import json
import os
import sys
from typing import Any

from piper import PiperVoice, SynthesisConfig

BOUNDS = ("^", "$", "_")
"""Piper's own signs for the beginning, the end and a filler: silence."""


class VoiceError(Exception):
    """There is no such voice, or it has no alignments: never speak with another one."""


class Voices:
    """The voices of a folder, each loaded once."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.realpath(folder)
        self.loaded: dict[str, Any] = {}

    def find(self, name: str) -> Any:
        """The voice of a file below the folder."""
        if name not in self.loaded:
            path = os.path.realpath(os.path.join(self.folder, name))
            if not path.startswith(self.folder + os.sep) or not os.path.isfile(path):
                raise VoiceError(f"no voice {name}")
            self.loaded[name] = PiperVoice.load(path, include_alignments=True)
        return self.loaded[name]


def synthesize(voices: Voices, *, text: str, voice: str, rate: float, volume_db: float) -> tuple[Any, ...]:
    """Sample rate, sound and phones of a text."""
    manner = SynthesisConfig(length_scale=1 / rate, volume=10 ** (volume_db / 20))
    pcm, phones, sample_rate = bytearray(), [], 0
    for chunk in voices.find(voice).synthesize(text, manner, include_alignments=True):
        if chunk.phoneme_alignments is None:
            raise VoiceError(f"{voice} gives no alignments")
        sample_rate = chunk.sample_rate
        pcm += chunk.audio_int16_bytes
        phones += [
            ["" if each.phoneme in BOUNDS else each.phoneme, int(each.num_samples)]
            for each in chunk.phoneme_alignments
        ]
    return sample_rate, bytes(pcm), phones


def main() -> None:
    """Answer until the pipe closes."""
    voices, out = Voices(sys.argv[1]), sys.stdout.buffer
    out.write(json.dumps({"ok": True}).encode() + b"\n")
    out.flush()
    for line in sys.stdin.buffer:
        pcm = b""
        try:
            rate, pcm, phones = synthesize(voices, **json.loads(line))
            answer = {"ok": True, "sample_rate": rate, "bytes": len(pcm), "phones": phones}
        except VoiceError as error:
            answer = {"ok": False, "code": "voice", "error": str(error)}
        except (RuntimeError, ValueError, TypeError, KeyError, OSError) as error:
            answer = {"ok": False, "code": "failed", "error": str(error)}
        out.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n" + pcm)
        out.flush()


if __name__ == "__main__":
    main()
