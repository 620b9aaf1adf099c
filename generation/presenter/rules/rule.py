"""One rule of reading: where it applies, and what is said there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\d|,\d)"
"""Digits, with thousands commas in threes or with none; never the first part of a broken number."""
BROKEN = r"(?<![\d.,])\d+(?:,\d+)*,(?:\d{1,2}|\d{4,})(?![\d])(?:,\d+)*(?:\.\d+)?"
"""Commas that do not part thousands: 12,34.5 may be one number or two."""


class UnclearError(Exception):
    """Raised by a reader: the text matches, but has these readings, or none. Never leaves the package."""

    def __init__(self, what: str, *readings: str) -> None:
        super().__init__(what)
        self.readings = readings


@dataclass(frozen=True, slots=True)
class Rule:
    """``read`` gives the words for a match; ``warn`` names what a reviewer should look at, or is empty."""

    name: str
    pattern: re.Pattern[str]
    read: Callable[[re.Match[str]], str]
    warn: str = ""


def rule(name: str, pattern: str, read: Callable[[re.Match[str]], str], warn: str = "") -> Rule:
    """A rule whose pattern is compiled."""
    return Rule(name, re.compile(pattern), read, warn)


def broken(match: re.Match[str]) -> str:
    """Refuse a number whose commas do not part thousands."""
    raise UnclearError(
        "the commas do not part thousands", match[0].replace(",", ""), match[0].replace(",", " ")
    )


def days_of(year: int, month: int) -> int:
    """Days of a month; 0 for a month that does not exist."""
    if not 1 <= month <= 12:
        return 0
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def check_date(year: str, month: str, day: str) -> None:
    """Refuse a day that no calendar has; ``year`` may be empty.

    Raises:
        UnclearError: there is no such day.
    """
    if not 1 <= int(day) <= days_of(int(year or 2024), int(month)):
        raise UnclearError("there is no such day")


def check_time(hour: str, minute: str) -> None:
    """Refuse a time that no clock shows.

    Raises:
        UnclearError: there is no such time.
    """
    if int(hour) > 24 or int(minute) > 59 or (int(hour) == 24 and int(minute)):
        raise UnclearError("there is no such time", f"{hour} : {minute}")
