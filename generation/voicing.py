"""What the settings say of voices and speech engines; nothing here reads a table of the database."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

from generation.presenter.errors import SpeechUnavailableError
from generation.presenter.http_engine import HttpConfig, Kind
from generation.presenter.outbound import Target, checked
from generation.presenter.voices import VoiceEntry, load_voices

SITE_VOICES = "voices.d"
SITE_MODELS = "voices"


def known() -> Mapping[str, VoiceEntry]:
    """The platform's voices and the site's own.

    Raises:
        VoiceTableError: a table of the site is malformed; no voice is used until it is mended.
    """
    return load_voices(Path(settings.LIKENESS_HOME) / SITE_VOICES)


def http_config() -> HttpConfig | None:
    """Where the HTTP engine is, by the settings; None when it is off.

    Raises:
        SpeechUnavailableError: the address, a network or the kind cannot be used.
    """
    if not settings.LIKENESS_TTS_URL:
        return None
    try:
        networks = tuple(ipaddress.ip_network(each) for each in settings.LIKENESS_TTS_NETWORKS)
    except ValueError as error:
        raise SpeechUnavailableError(f"LIKENESS_TTS_NETWORKS: {error}.") from None
    target = Target(settings.LIKENESS_TTS_URL, frozenset(settings.LIKENESS_TTS_HOSTS), networks)
    checked(target)
    return HttpConfig(target, Kind(settings.LIKENESS_TTS_KIND), settings.LIKENESS_TTS_KEY)


def http_host() -> str:
    """The host of the HTTP engine, "" when it is off.

    Raises:
        SpeechUnavailableError: as ``http_config``.
    """
    config = http_config()
    return "" if config is None else checked(config.target).hostname or ""
