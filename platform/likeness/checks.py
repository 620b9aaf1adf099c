"""System checks: the production profile refuses weak settings, whatever DEBUG says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Critical, Error, register
from django.core.exceptions import ImproperlyConfigured

from generation import lipsync
from generation.engine.errors import WeightsError
from generation.errors import CallbackRefusedError
from generation.presenter.errors import DrivingUnavailableError, SpeechUnavailableError, VoiceTableError
from generation.voicing import http_config, known
from generation.webhook import read_places

SECRET_MIN = 50
CREDIT_CODE_LENGTH = 18


@register()
def production_settings(**_: Any) -> list[CheckMessage]:
    """Name every setting that must not go into production."""
    if settings.LIKENESS_PROFILE != "production":
        return []
    return list(_faults())


def refuse_weak_settings() -> None:
    """Stop this process, whatever it is, where production would run with weak settings.

    Raises:
        ImproperlyConfigured: with every fault.
    """
    faults = [*production_settings(), *credit_code(), *unlabelled_copies(), *hook_hosts()]
    if settings.LIKENESS_PROFILE == "production" and faults:
        raise ImproperlyConfigured("\n".join(f"{fault.id}: {fault.msg} {fault.hint}" for fault in faults))


@register()
def credit_code(**_: Any) -> list[CheckMessage]:
    """The provider's code goes into every label, so its form is fixed (GB 45438-2025)."""
    code = settings.LIKENESS_CREDIT_CODE
    if len(code) == CREDIT_CODE_LENGTH and code.isascii() and code.isalnum():
        return []
    return [
        _error("E001", "LIKENESS_CREDIT_CODE must have 18 letters and digits.", "Take it from the licence.")
    ]


@register()
def unlabelled_copies(**_: Any) -> list[CheckMessage]:
    """Copies without the visible label exist where the law of China alone applies, and nowhere else."""
    if settings.LIKENESS_STATUTORY_EXPORT == "on" and settings.LIKENESS_LABEL_PROFILE not in ("", "cn"):
        return [
            _error(
                "E002",
                "LIKENESS_STATUTORY_EXPORT is on where LIKENESS_LABEL_PROFILE demands the EU's label.",
                "Turn the export off, or leave the profile to each job's territory.",
            )
        ]
    return []


@register()
def speech(**_: Any) -> list[CheckMessage]:
    """A speech engine that can never be reached, or a broken table of voices, is said at the start."""
    found = []
    try:
        http_config()
    except SpeechUnavailableError as error:
        found.append(_error("E003", f"LIKENESS_TTS_URL cannot be used. {error}", "Name it in TTS_HOSTS."))
    try:
        known()
    except VoiceTableError as error:
        found.append(_error("E004", str(error), error.hint))
    return found


@register()
def lip_sync(**_: Any) -> list[CheckMessage]:
    """An engine for lips that can never start is said at the start, not by the first warning in a job."""
    try:
        lipsync.check()
    except (DrivingUnavailableError, WeightsError) as error:
        return [_error("E005", f"LIKENESS_LIPSYNC cannot be used. {error}", error.hint)]
    return []


@register()
def hook_hosts(**_: Any) -> list[CheckMessage]:
    """The list of hosts that are called can be read, and none of them is one that is never called."""
    try:
        read_places(settings.LIKENESS_HOOK_HOSTS)
    except CallbackRefusedError as error:
        return [_error("E003", f"LIKENESS_HOOK_HOSTS: {error}", "Give host, host:port or host=address each.")]
    return []


def _faults() -> Iterator[CheckMessage]:
    if settings.DEBUG:
        yield _critical("E010", "DEBUG is on.", "Remove it; likeness.settings never sets it.")
    if len(set(settings.SECRET_KEY)) < 10:
        yield _critical("E011", "LIKENESS_SECRET_KEY is not set, or not random.", "Set 50 random characters.")
    elif len(settings.SECRET_KEY) < SECRET_MIN:
        yield _critical(
            "E012", "LIKENESS_SECRET_KEY is short.", f"Set at least {SECRET_MIN} random characters."
        )
    if any(host.startswith((".", "*")) for host in settings.ALLOWED_HOSTS):
        yield _critical("E013", "LIKENESS_ALLOWED_HOSTS allows any host.", "Name each host.")
    if settings.LIKENESS_LOG_ORIGIN.endswith(".local/audit"):
        yield _error("E014", "LIKENESS_LOG_ORIGIN is the local default.", "Name the log by your own domain.")
    if settings.LIKENESS_CREDIT_CODE == settings.SAMPLE_CREDIT_CODE:
        yield _error("E015", "LIKENESS_CREDIT_CODE is the sample.", "Set your unified social credit code.")
    if settings.LIKENESS_MODEL_POLICY != "commercial":
        yield _error("E016", "LIKENESS_MODEL_POLICY allows models for research.", "Set it to commercial.")
    if urlsplit(settings.LIKENESS_BROKER_URL).scheme in ("memory", "filesystem", "sqla"):
        yield _critical(
            "E017", "LIKENESS_BROKER_URL names a broker that loses messages.", "Use Redis or AMQP."
        )
    if not settings.SESSION_COOKIE_SECURE or not settings.CSRF_COOKIE_SECURE:
        yield _critical("E018", "Cookies may travel without TLS.", "Leave likeness.settings as they are.")


def _critical(number: str, message: str, hint: str) -> CheckMessage:
    return Critical(message, hint=hint, id=f"likeness.{number}")


def _error(number: str, message: str, hint: str) -> CheckMessage:
    return Error(message, hint=hint, id=f"likeness.{number}")
