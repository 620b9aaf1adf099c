"""What signs, units and currencies are called, read once from ``words.toml``."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any, Final

_TABLE: Final[dict[str, Any]] = tomllib.loads(
    files("generation.presenter.rules").joinpath("words.toml").read_text("utf-8")
)

HOTLINES: Final = tuple[str, ...](_TABLE["hotlines"])
"""Short numbers that are read digit by digit."""
SPOKEN_CAPITALS: Final = frozenset[str](_TABLE["spoken_capitals"])
"""Capitals that are said as a word."""

ZH_MEASURES: Final = tuple[str, ...](_TABLE["zh"]["measures"].split())
ZH_CURRENCIES: Final[dict[str, str]] = _TABLE["zh"]["currencies"]
ZH_UNITS: Final[dict[str, str]] = _TABLE["zh"]["units"]
ZH_SIGNS: Final[dict[str, str]] = _TABLE["zh"]["signs"]

EN_CURRENCIES: Final[dict[str, tuple[str, str]]] = {
    sign: (unit, part) for sign, (unit, part) in _TABLE["en"]["currencies"].items()
}
EN_SCALES: Final[dict[str, str]] = _TABLE["en"]["scales"]
EN_UNITS: Final[dict[str, str]] = _TABLE["en"]["units"]
EN_ABBREVIATIONS: Final[dict[str, str]] = _TABLE["en"]["abbreviations"]
EN_SIGNS: Final[dict[str, str]] = _TABLE["en"]["signs"]


def spelled(label: str) -> str:
    """A part of an address as it is said: short ones letter by letter."""
    known = ("com", "net", "org", "gov", "bank", "info")
    return " ".join(label) if len(label) <= 4 and label.isalpha() and label not in known else label
