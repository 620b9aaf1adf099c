"""The demonstration as a new user runs it, and what a sceptic does with its results."""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import av
import psycopg
import pytest

from likeness.databases import DATABASE
from tests.journeys.conftest import OFFLINE, Answer, Platform

pytestmark = [pytest.mark.weights, pytest.mark.slow]
needs_espeak = pytest.mark.skipif(
    find_spec("espeakng_loader") is None, reason="the extra likeness[espeak] is not installed"
)


def test_leaves_what_it_promises(demo: Answer, out: Path) -> None:
    for name in ("swap.mp4", "sheet.png", "bundle.zip", "index.html"):
        assert (out / name).stat().st_size > 1000, name


@pytest.mark.skipif(not OFFLINE, reason="this user may not make a network namespace")
def test_needs_no_network(demo: Answer) -> None:
    """The demo ran in a namespace without any interface that is up."""
    assert demo.document["trace"]["proof"] == "verified"


def test_output_has_picture_and_sound(demo: Answer, out: Path) -> None:
    with av.open(str(out / "swap.mp4")) as clip:
        video, audio = clip.streams.video[0], clip.streams.audio[0]
        assert (video.width, video.height) == (1280, 720)
        frames = sum(1 for _ in clip.decode(video))
        assert frames == 150
        clip.seek(0)
        sound = sum(frame.samples for frame in clip.decode(audio))
        assert sound == pytest.approx(6 * 48_000, rel=0.02)


def test_reencoded_copy_traces_to_the_job(demo: Answer) -> None:
    found = demo.document["trace"]
    assert found["match"] == "present"
    assert found["exact"] is False
    assert found["job"] == demo.document["job"]
    assert found["proof"] == "verified"
    assert found["marks"]["aigc"]["state"] == "absent"
    assert len(found["approvals"]) >= 2


def test_the_file_itself_carries_every_mark(demo: Answer, platform: Platform, out: Path) -> None:
    found = platform.run("trace", str(out / "swap.mp4")).document
    assert found["exact"] is True
    assert found["marks"]["invisible"]["state"] == "present"
    assert found["marks"]["aigc"]["state"] == "present"
    assert found["marks"]["c2pa"]["state"] == "Trusted"


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_ffprobe_shows_the_aigc_label(demo: Answer, out: Path) -> None:
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format_tags", "-of", "json", str(out / "swap.mp4")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    label = json.loads(json.loads(shown.stdout)["format"]["tags"]["AIGC"])
    assert label["Label"] == "1"
    assert len(label["ContentProducer"]) == 27


def test_bundle_verifies_outside_of_the_project(demo: Answer, out: Path, tmp_path: Path) -> None:
    for name in ("bundle.zip", "verify.py", "log.vkey"):
        shutil.copy(out / name, tmp_path)
    command = [sys.executable, "-S", "-I", "verify.py", "bundle.zip", "--vkey", "log.vkey"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "verified" in done.stdout


@needs_espeak
def test_the_teller_says_a_script_in_two_languages(demo: Answer, out: Path) -> None:
    said = demo.document["teller"]

    assert [(clip["language"], clip["state"]) for clip in said] == [("zh", "succeeded"), ("en", "succeeded")]
    for clip in said:
        path = Path(clip["video"])
        assert path == out / f"teller-{clip['language']}.mp4"
        assert path.with_suffix(".srt").read_text("utf-8").startswith("1\n00:00:")
        assert path.with_suffix(".vtt").read_text("utf-8").startswith("WEBVTT\n")
        with av.open(str(path)) as film:
            video, sound = film.streams.video[0], film.streams.audio[0]
            assert video.frames == clip["sync"]["frames"]
            assert 6 <= video.frames / 25 <= 8
            assert abs(float(sound.duration * sound.time_base) - video.frames / 25) < 0.1
    assert (out / "teller-sheet.png").stat().st_size > 100_000


@needs_espeak
def test_the_tellers_mouth_and_sound_agree(demo: Answer) -> None:
    for clip in demo.document["teller"]:
        found = clip["sync"]
        assert found["failed"] == []
        assert found["landmarks"]["r"] >= 0.75
        assert found["pixels"]["r"] >= 0.65
        assert found["sound"]["r"] >= 0.45
        assert abs(found["landmarks"]["lag"]) <= 1
        assert found["closures"] == found["closures_held"] >= 3


@needs_espeak
def test_the_tellers_clip_names_its_job_and_says_what_it_is(
    demo: Answer, platform: Platform, out: Path
) -> None:
    clip = demo.document["teller"][0]

    found = platform.run("trace", clip["video"]).document

    assert found["job"] == clip["job"]
    assert found["marks"]["invisible"]["state"] == "present"
    assert found["marks"]["aigc"]["state"] == "present"
    assert found["proof"] == "verified"


def test_three_requests_were_refused(demo: Answer) -> None:
    codes = [refusal["code"] for refusal in demo.document["refused"]]
    assert codes == ["licence.missing", "scope.purpose", "licence.revoked"]


def test_swap_exits_3_when_the_gate_refuses(demo: Answer, platform: Platform, out: Path) -> None:
    identity = demo.document["trace"]["identity"]
    answer = platform.run(
        "swap", "--identity", identity, "--target", str(out / "swap.mp4"),
        "--purpose", "marketing", "--channel", "mobile_app", "--out", str(out / "never.mp4"),
    )  # fmt: skip
    assert answer.code == 3
    assert answer.document["code"] == "scope.purpose"
    assert not (out / "never.mp4").exists()


def test_missing_file_is_named(demo: Answer, platform: Platform, out: Path) -> None:
    identity = demo.document["trace"]["identity"]
    answer = platform.run(
        "swap", "--identity", identity, "--target", str(out / "nowhere.mp4"),
        "--purpose", "customer_service", "--channel", "mobile_app", "--out", str(out / "never.mp4"),
    )  # fmt: skip
    assert answer.code == 1
    assert answer.document["code"] == "file.unusable"
    assert "nowhere.mp4" in answer.document["message"]


def test_export_gives_a_log_that_others_can_check(demo: Answer, platform: Platform, out: Path) -> None:
    answer = platform.run("audit", "export", str(out / "log"))
    assert answer.code == 0
    for name in ("checkpoint", "log.vkey"):
        assert (out / "log" / name).is_file()
    assert len(list((out / "log" / "proofs").glob("*.tlog-proof"))) == answer.document["size"]


def test_edited_row_is_named_by_the_check(demo: Answer, platform: Platform) -> None:
    assert platform.run("audit", "check").code == 0
    with superuser(platform) as connection:
        connection.execute("ALTER TABLE audit_entry DISABLE TRIGGER ALL")
        connection.execute("ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_leaf_hash")
        connection.execute("UPDATE audit_entry SET body = body || ' '::bytea WHERE idx = 3")
    answer = platform.run("audit", "check")
    with superuser(platform) as connection:  # the other journeys go on in this home
        connection.execute("UPDATE audit_entry SET body = substr(body, 1, length(body) - 1) WHERE idx = 3")
        for trigger in ("contiguous", "immutable", "untruncatable"):
            connection.execute(
                f"ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_{trigger}".encode()
            )
    assert answer.code == 1
    assert answer.document["ok"] is False
    assert 3 in [problem["index"] for problem in answer.document["problems"]]
    assert platform.run("audit", "check").code == 0


def superuser(platform: Platform) -> psycopg.Connection[tuple[object, ...]]:
    platform.run("accounts", "list")  # makes sure that the server runs
    return psycopg.connect(
        host=str(platform.home / "run"),
        user="postgres",
        dbname=DATABASE,
        passfile=str(platform.home / "pg.pass"),
        autocommit=True,
    )
