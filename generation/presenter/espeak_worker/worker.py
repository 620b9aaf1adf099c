# SPDX-License-Identifier: GPL-3.0-or-later
"""eSpeak NG in a process of its own; the only file that loads libespeak-ng, run by path and never imported.

in    one JSON line: {"text": str, "voice": "cmn", "rate": 165, "pitch": 50, "volume": 100}
out   one JSON line: {"ok": true, "sample_rate": 22050, "bytes": n, "events": [[kind, ms, pos, len, name]]},
      then n octets of 16-bit PCM; or {"ok": false, "code": "voice" | "failed", "error": str}
"""

import ctypes as c
import json
import os
import sys
from typing import Any

import espeakng_loader

SYNCHRONOUS, PHONEME_EVENTS, IPA, DONT_EXIT, UTF8 = 2, 0x1, 0x2, 0x8000, 0x01
WORD, PHONEME = 1, 7
KINDS = {WORD: "word", 2: "sentence", PHONEME: "phone"}
PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3}


class Id(c.Union):
    """What an event names."""

    _fields_ = [("number", c.c_int), ("name", c.c_char_p), ("string", c.c_char * 8)]


class Event(c.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = [
        *(("type", c.c_int), ("uid", c.c_uint), ("text_position", c.c_int), ("length", c.c_int)),
        *(("audio_position", c.c_int), ("sample", c.c_int), ("user_data", c.c_void_p), ("id", Id)),
    ]


CALLBACK = c.CFUNCTYPE(c.c_int, c.POINTER(c.c_short), c.c_int, c.POINTER(Event))


class VoiceError(Exception):
    """The library has no such voice: never speak with another one."""


class Espeak:
    """The library, initialised once."""

    def __init__(self) -> None:
        library = self.library = c.CDLL(espeakng_loader.get_library_path())
        library.espeak_Initialize.argtypes = [c.c_int, c.c_int, c.c_char_p, c.c_int]
        library.espeak_Synth.argtypes = [
            *(c.c_char_p, c.c_size_t, c.c_uint, c.c_int, c.c_uint, c.c_uint, c.c_void_p, c.c_void_p)
        ]
        library.espeak_SetSynthCallback.argtypes = [CALLBACK]
        data = os.path.dirname(espeakng_loader.get_data_path())  # the parent of espeak-ng-data
        self.rate = library.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), PHONEME_EVENTS | IPA | DONT_EXIT)
        if self.rate <= 0:
            raise RuntimeError(f"espeak_Initialize: {self.rate}")
        self.pcm = bytearray()
        self.events: list[list[Any]] = []
        self.callback = CALLBACK(self.receive)  # kept alive here: ctypes does not
        library.espeak_SetSynthCallback(self.callback)

    def receive(self, samples: Any, count: int, events: Any) -> int:
        """Take sound and events; 0 tells the library to go on."""
        if samples and count > 0:
            self.pcm += c.string_at(samples, count * 2)
        at = 0
        while events[at].type:
            event, at = events[at], at + 1
            kind = KINDS.get(event.type)
            # a phone's name is eight octets, not always ended by NUL; empty is silence at a clause's end
            name = bytes(event.id.string).decode("utf-8", "replace") if event.type == PHONEME else ""
            if kind:
                self.events.append([kind, event.audio_position, event.text_position, event.length, name])
        return 0

    def synthesize(self, *, text: str, voice: str, **values: int) -> None:
        """Say a text into ``pcm`` and ``events``."""
        self.pcm, self.events = bytearray(), []
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise VoiceError(f"no voice {voice}")
        for name, number in PARAMETERS.items():
            self.library.espeak_SetParameter(number, int(values[name]), 0)
        raw = text.encode()
        code = self.library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, UTF8, None, None)
        if code != 0:
            raise RuntimeError(f"espeak_Synth: {code}")


def main() -> None:
    """Answer until the pipe closes."""
    engine, out = Espeak(), sys.stdout.buffer
    out.write(json.dumps({"ok": True, "sample_rate": engine.rate}).encode() + b"\n")
    out.flush()
    for line in sys.stdin.buffer:
        pcm = b""
        try:
            engine.synthesize(**json.loads(line))
            pcm = bytes(engine.pcm)
            answer = {
                "ok": True,
                "sample_rate": engine.rate,
                "bytes": len(pcm),
                "events": engine.events,
            }
        except VoiceError as error:
            answer = {"ok": False, "code": "voice", "error": str(error)}
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            answer = {"ok": False, "code": "failed", "error": str(error)}
        out.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n" + pcm)
        out.flush()


if __name__ == "__main__":
    main()
