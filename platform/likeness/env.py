"""Typed reads of the LIKENESS_* environment; no other module reads ``os.environ``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from likeness.errors import SettingError

PREFIX = "LIKENESS_"


def text(name: str, *, default: str = "") -> str:
    """Give the variable without surrounding space, or the default when it is unset or empty."""
    return os.environ.get(PREFIX + name, "").strip() or default


def integer(name: str, *, default: int, low: int, high: int) -> int:
    """Give a whole number between two bounds.

    Raises:
        SettingError: no number, or out of bounds.
    """
    raw = text(name)
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise SettingError(f"{PREFIX}{name} is {raw!r}, not a whole number.") from None
    if not low <= value <= high:
        raise SettingError(f"{PREFIX}{name} is {value}, not between {low} and {high}.")
    return value


def choice(name: str, *, choices: Sequence[str], default: str) -> str:
    """Give one word out of a closed list.

    Raises:
        SettingError: another word.
    """
    value = text(name, default=default)
    if value not in choices:
        raise SettingError(f"{PREFIX}{name} is {value!r}, not one of {', '.join(choices)}.")
    return value


def names(name: str, *, default: Sequence[str]) -> list[str]:
    """Give a list of words separated by commas."""
    words = [word.strip() for word in text(name).split(",")]
    return [word for word in words if word] or list(default)


def folder(name: str, *, default: Path) -> Path:
    """Give an absolute path; a relative one counts from the working directory."""
    raw = text(name)
    return Path(raw).expanduser().absolute() if raw else default.absolute()


def use_settings() -> None:
    """Make ``likeness.settings`` Django's settings unless others are named."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "likeness.settings")


def for_child(**variables: str) -> dict[str, str]:
    """Give the environment of a child process with LIKENESS_* variables replaced."""
    return {**os.environ, **{PREFIX + name: value for name, value in variables.items()}}
