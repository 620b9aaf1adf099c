from __future__ import annotations

import os
import secrets
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from likeness import checks

GOOD: dict[str, Any] = {
    "LIKENESS_PROFILE": "production",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "ALLOWED_HOSTS": ["likeness.bank.example"],
    "LIKENESS_LOG_ORIGIN": "log.bank.example/likeness",
    "LIKENESS_CREDIT_CODE": "91310000MA1FL00000",
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
}


@pytest.fixture
def production(settings) -> Any:
    for name, value in GOOD.items():
        setattr(settings, name, value)
    return settings


def test_the_local_profile_runs_with_its_defaults():
    assert checks.production_settings() == []


def test_good_settings_pass(production):
    assert checks.production_settings() == []


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("DEBUG", True, "E010"),
        ("SECRET_KEY", "x" * 80, "E011"),
        ("SECRET_KEY", "sixteen letters and a few", "E012"),
        ("ALLOWED_HOSTS", ["*"], "E013"),
        ("ALLOWED_HOSTS", [".example"], "E013"),
        ("LIKENESS_LOG_ORIGIN", "likeness.local/audit", "E014"),
        ("LIKENESS_CREDIT_CODE", "0" * 18, "E015"),
        ("LIKENESS_MODEL_POLICY", "research", "E016"),
        ("LIKENESS_BROKER_URL", "memory://", "E017"),
        ("SESSION_COOKIE_SECURE", False, "E018"),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_a_weak_setting_is_refused_whatever_debug_says(production, name, value, number, debug):
    production.DEBUG = debug
    setattr(production, name, value)
    assert f"likeness.{number}" in [fault.id for fault in checks.production_settings()]


def test_the_default_key_is_refused(production):
    production.SECRET_KEY = "unset"
    assert [fault.id for fault in checks.production_settings()] == ["likeness.E011"]


def test_a_refused_setting_stops_every_command(production):
    production.ALLOWED_HOSTS = ["*"]
    with pytest.raises(SystemCheckError, match="allows any host"):
        call_command("check")


@pytest.mark.parametrize("code", ["", "0" * 17, "0" * 19, "9131-000MA1FL0000", "９" * 18])
def test_a_credit_code_of_another_form_is_refused(settings, code):
    settings.LIKENESS_CREDIT_CODE = code
    assert [fault.id for fault in checks.credit_code()] == ["likeness.E001"]


@pytest.mark.parametrize("entry", ["likeness.wsgi", "likeness.asgi"])
def test_no_production_server_starts_with_the_local_defaults(entry):
    done = start(entry)
    assert done.returncode != 0
    for number in ("E011", "E014", "E015"):
        assert f"likeness.{number}" in done.stderr


def test_a_production_server_starts_with_good_settings():
    good = {
        "LIKENESS_SECRET_KEY": GOOD["SECRET_KEY"],
        "LIKENESS_ALLOWED_HOSTS": "likeness.bank.example",
        "LIKENESS_LOG_ORIGIN": GOOD["LIKENESS_LOG_ORIGIN"],
        "LIKENESS_CREDIT_CODE": GOOD["LIKENESS_CREDIT_CODE"],
    }
    done = start("likeness.wsgi", **good)
    assert done.returncode == 0, done.stderr


def start(entry: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LIKENESS_PROFILE": "production"}
    command = [sys.executable, "-c", f"import {entry}"]
    return subprocess.run(
        command, env={**environment, **variables}, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("export", "profile", "found"),
    [("off", "eu", []), ("on", "", []), ("on", "cn", []), ("on", "cn+eu", ["E002"])],
)
def test_unlabelled_copies_are_not_for_those_who_follow_the_eu(settings, export, profile, found):
    settings.LIKENESS_STATUTORY_EXPORT, settings.LIKENESS_LABEL_PROFILE = export, profile
    assert [fault.id for fault in checks.unlabelled_copies()] == [f"likeness.{number}" for number in found]


@pytest.mark.parametrize(
    ("hosts", "found"),
    [
        ([], []),
        (["bank.example:8443", "inside.example=10.1.2.3"], []),
        (["https://bank.example"], ["E003"]),
        (["metadata.example=169.254.169.254"], ["E003"]),
    ],
)
def test_hosts_that_are_called_are_readable_and_harmless(settings, hosts, found):
    settings.LIKENESS_HOOK_HOSTS = hosts
    assert [fault.id for fault in checks.hook_hosts()] == [f"likeness.{number}" for number in found]


def test_a_word_that_the_export_setting_does_not_know_stops_every_command():
    environment = {**os.environ, "LIKENESS_STATUTORY_EXPORT": "yes"}
    environment["DJANGO_SETTINGS_MODULE"] = "likeness.settings"
    code = "import django; django.setup()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "LIKENESS_STATUTORY_EXPORT is 'yes'" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIKENESS_TTS_URL", "https://tts.example/"),
        ("LIKENESS_TTS_URL", "http://10.0.0.1/"),
        ("LIKENESS_TTS_NETWORKS", ["10.0.0.1/8"]),
    ],
)
def test_a_speech_engine_that_can_never_be_reached_is_said_at_the_start(name, value, settings):
    settings.LIKENESS_TTS_URL = "https://listed.example/"
    settings.LIKENESS_TTS_HOSTS = ["listed.example", "10.0.0.1"]
    setattr(settings, name, value)
    assert [fault.id for fault in checks.speech()] == ["likeness.E003"]


def test_a_malformed_table_of_voices_is_said_at_the_start(settings, tmp_path):
    settings.LIKENESS_HOME = tmp_path
    assert checks.speech() == []
    (tmp_path / "voices.d").mkdir()
    (tmp_path / "voices.d" / "ours.toml").write_text("[wang]")
    assert [fault.id for fault in checks.speech()] == ["likeness.E004"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("LIPSYNC", "wav2lip"), ("LIPSYNC", "neural:lips"), ("LIPSYNC_URL", ""), ("LIPSYNC_HOSTS", [])],
)
def test_an_engine_for_lips_that_can_never_start_is_said_at_the_start(name, value, settings, tmp_path):
    settings.LIKENESS_HOME = tmp_path
    assert checks.lip_sync() == []
    settings.LIKENESS_LIPSYNC = "outside"
    settings.LIKENESS_LIPSYNC_URL = "https://listed.example/"
    settings.LIKENESS_LIPSYNC_HOSTS = ["listed.example"]
    assert checks.lip_sync() == []
    setattr(settings, f"LIKENESS_{name}", value)
    assert [fault.id for fault in checks.lip_sync()] == ["likeness.E005"]
