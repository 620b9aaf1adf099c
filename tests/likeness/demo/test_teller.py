from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from audit.events import Actor
from generation import presenting
from generation.gate import text as gate
from generation.presenter.normalise import Language
from generation.presenter.script import read
from likeness import follow
from likeness.demo import teller
from likeness.demo.moments import moments
from likeness.demo.samples import SCRIPTS
from likeness.demo.teller import NotFilmedError, Sound

BY = Actor("r", "t", frozenset({"requester"}))


def film(tmp_path: Path, report: list[str]) -> list[teller.Clip]:
    return teller.film(
        "a", "b", out=tmp_path, form="preview", by=BY, report=report.append, watch=lambda *_: None
    )


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Presentations that ended at once, with this code."""

    def use(code: str) -> None:
        def present(request: Any, *, client_id: str, by: Actor) -> Any:
            return SimpleNamespace(client_id=client_id)

        row = SimpleNamespace(job=None, state="failed", code=code, message="It ended.", language="zh")
        monkeypatch.setattr(presenting, "present", present)
        monkeypatch.setattr(follow, "until_presented", lambda *_, **__: row)

    return use


def test_without_a_speech_engine_the_demo_says_so_and_goes_on(ended: Any, tmp_path: Path) -> None:
    ended("tts_unavailable")
    report: list[str] = []

    assert film(tmp_path, report) == []
    assert len(report) == 2
    assert "likeness[espeak]" in report[0]


def test_any_other_end_without_a_video_stops_the_demo(ended: Any, tmp_path: Path) -> None:
    ended("plate_rejected")

    with pytest.raises(NotFilmedError, match="ended as failed: It ended"):
        film(tmp_path, [])


@pytest.mark.parametrize("language", list(SCRIPTS))
def test_scripts_pass_the_gate_and_name_what_they_are(language: str) -> None:
    script = read(SCRIPTS[language], language=Language(language))

    for text in (script.text, script.spoken):
        assert gate.screen(text, lexicon=gate.built_in()) == ()
    assert "AI" in script.text


def test_moments_lie_in_the_middle_of_what_they_show() -> None:
    sounds = [
        *(Sound(21, at, at + 0.08) for at in (1.0, 2.0, 3.0, 4.0, 5.0)),
        *(Sound(2, at, at + length) for at, length in ((1.2, 0.1), (2.2, 0.24), (3.2, 0.3), (4.2, 0.4))),
        Sound(0, 6.0, 6.4),
        Sound(0, 6.5, 6.6),
    ]

    found = moments(sounds)

    assert [(each.kind, each.frame) for each in found] == [
        ("p b m", 25),
        ("p b m", 75),
        ("p b m", 125),
        ("vowel", 57),
        ("vowel", 83),
        ("vowel", 109),
        ("silence", 154),
    ]


def test_a_clip_without_a_sound_of_a_kind_has_no_moment_of_it() -> None:
    assert moments([]) == []
