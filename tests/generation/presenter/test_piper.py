from __future__ import annotations

import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from generation.presenter import piper
from generation.presenter.errors import (
    SpeechError,
    SpeechFailedError,
    SpeechTimesError,
    SpeechUnavailableError,
    VoiceMissingError,
)
from generation.presenter.normalise import Language
from generation.presenter.piper import PiperEngine
from generation.presenter.script import Kind, read
from generation.presenter.speech import Speech, Voice, check
from generation.presenter.worker import Worker

VOICE = Voice("anna", "vendor", 1.0, "anna.onnx")
ROWS = [["", 2205], *([each, 2205] for each in "həlˈəʊ wˈɜːld"), ["", 4410]]
BAD: dict[str, tuple[Any, type[SpeechError]]] = {
    "no voice": ({"ok": False, "code": "voice", "error": "no voice"}, VoiceMissingError),
    "a failure": ({"ok": False, "code": "failed", "error": "it"}, SpeechFailedError),
    "nothing": ({"ok": True}, SpeechTimesError),
    "no rate": ({"sample_rate": None}, SpeechTimesError),
    "phones that are words": ({"phones": ["a"]}, SpeechTimesError),
    "too few samples": ({"phones": ROWS[:-1]}, SpeechTimesError),
    "samples below nothing": ({"phones": [["a", -5], *ROWS]}, SpeechTimesError),
    "samples that are no number": ({"phones": [["a", "many"], *ROWS]}, SpeechTimesError),
    "no phones": ({"phones": []}, SpeechTimesError),
    "a false rate": ({"sample_rate": 100}, SpeechTimesError),
}


def engine(tmp_path: Path, **changes: Any) -> PiperEngine:
    """A worker that speaks the protocol of the real one."""
    total = sum(count for _, count in ROWS)
    fields = {"ok": True, "sample_rate": 22_050, "phones": ROWS, "bytes": 2 * total} | changes
    if not fields["ok"]:
        fields["bytes"] = 0
    body = f"""
    import json, sys
    print(json.dumps({{"ok": True}}), flush=True)
    for line in sys.stdin:
        print(json.dumps({fields!r}), flush=True)
        sys.stdout.buffer.write(b"\\x00\\x20" * ({fields["bytes"]} // 2))
        sys.stdout.buffer.flush()
    """
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(body))
    return PiperEngine(tmp_path, worker=Worker([sys.executable, "-I", str(script)], timeout_s=5))


def said(made: PiperEngine, text: str = "Hello world!", *, kind: Kind = Kind.TEXT) -> Speech:
    try:
        return made.synthesize(read(text, language=Language.EN, kind=kind).segments[0], voice=VOICE)
    finally:
        made.close()


def test_alignments_become_phones_and_words(tmp_path: Path) -> None:
    speech = check(said(engine(tmp_path)))

    assert [phone.ipa for phone in speech.phones] == ["h", "ə", "l", "ə", "ʊ", "", "w", "ɜ", "l", "d", ""]
    assert [phone.stress for phone in speech.phones][3] == 2
    assert [word.text for word in speech.words] == ["Hello", "world!"]
    assert speech.phones[2].end_s == pytest.approx(0.4)  # the sign of stress belongs to the sound before it
    assert speech.words[1].start_s == pytest.approx(0.7)


def test_more_groups_than_words_are_shared_out(tmp_path: Path) -> None:
    speech = check(said(engine(tmp_path), "Hello."))

    assert len(speech.words) == 2
    assert speech.words[0].char_start == 0
    assert speech.words[-1].char_end == 6


@pytest.mark.parametrize("case", BAD)
def test_a_worker_that_answers_wrongly_is_refused(case: str, tmp_path: Path) -> None:
    changes, error = BAD[case]

    with pytest.raises(error):
        said(engine(tmp_path, **({"phones": None} | changes if case == "nothing" else changes)))


def test_a_fixed_reading_is_refused_not_ignored(tmp_path: Path) -> None:
    source = "<speak><phoneme alphabet='ipa' ph='x'>Hello</phoneme></speak>"

    with pytest.raises(SpeechUnavailableError, match="phoneme"):
        said(engine(tmp_path), source, kind=Kind.SSML)


def test_without_the_library_the_engine_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piper, "find_spec", lambda _: None)

    with pytest.raises(SpeechUnavailableError, match=r"likeness\[piper\]"):
        PiperEngine(tmp_path)


@pytest.mark.skipif(find_spec("piper") is None, reason="the extra likeness[piper] is not installed")
def test_the_real_worker_has_no_voice_outside_of_its_folder(tmp_path: Path) -> None:
    made = PiperEngine(tmp_path)

    with pytest.raises(VoiceMissingError):
        said(made)
