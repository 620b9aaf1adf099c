"""What ``likeness present`` makes of its arguments; the rest of it is followed in the journeys."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from generation.models import Media
from generation.presenter.errors import ScenesInvalidError
from likeness.cli import present as cli
from tests.generation import fakes
from tests.generation.engine.media.test_sounds import encoded, speech


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.register(parser.add_subparsers())
    return parser.parse_args(["present", *words, "--out", "x.mp4"])


@pytest.fixture
def by(home: Path, db: None, people: dict[str, Any]) -> Any:
    return people["requester"].actor


def test_scenes_and_a_recording_are_taken_from_files(by: Any, tmp_path: Path) -> None:
    (tmp_path / "hall.png").write_bytes(fakes.portrait(fakes.NOBODY))
    (tmp_path / "voice.mp3").write_bytes(encoded(speech(3), "mp3"))
    scenes = [{"script": "您好。"}, {"script": "再见。", "background": "hall.png", "layout": {"size": 0.8}}]
    (tmp_path / "scenes.json").write_text(json.dumps(scenes), "utf-8")
    args = arguments(
        *("--scenes", str(tmp_path / "scenes.json"), "--recording", str(tmp_path / "voice.mp3")),
        *("--voice-identity", "idn_0123456789abcdef"),
    )

    first, again = cli._single(args, by=by), cli._single(args, by=by)

    request = first.request
    kinds = {str(each.pk): each.kind for each in Media.objects.all()}
    assert (kinds[request.recording], kinds[request.scenes[1].background]) == ("sound", "image")
    assert (request.script, request.scenes[1].size, request.voice_identity) == (
        "",
        0.8,
        "idn_0123456789abcdef",
    )
    assert first.client_id == again.client_id  # the same command again is the same video


@pytest.mark.parametrize(
    "text", ["", "[", "{}", "[]", "[1]", '[{"script": "x", "background": "../hall.png"}]']
)
def test_a_file_that_has_no_scenes_is_refused(text: str, by: Any, tmp_path: Path) -> None:
    (tmp_path / "scenes.json").write_text(text, "utf-8")

    with pytest.raises((cli.TableError, ScenesInvalidError)):
        cli._single(arguments("--scenes", str(tmp_path / "scenes.json")), by=by)


def test_a_script_or_scenes_but_not_both(by: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "open_platform", lambda: None)
    monkeypatch.setattr(cli, "actor", lambda *_: by)
    for words in ((), ("a.txt", "--scenes", "s.json"), ("many.csv", "--recording", "v.wav")):
        with pytest.raises(cli.TableError):
            cli.present(arguments(*words), printer=None)  # type: ignore[arg-type]  nothing is printed
