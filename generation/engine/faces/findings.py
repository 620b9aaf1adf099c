"""The enrolment gate's limits, and its sentences for what misses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PortraitLimits:
    """What a portrait must have; light and sharpness are starting values, not measured on refusals.

    ``..._good``: the portrait is accepted, with a warning.
    """

    face_score: float = 0.6
    second_score: float = 0.35
    yaw_deg: float = 15.0
    pitch_deg: float = 15.0
    roll_deg: float = 20.0
    eyes_apart_px: float = 40.0  # between the eyes' centres; 100 for a digital human, 150 at 1080p
    eyes_apart_good_px: float = 100.0
    sharpness: float = 6.0
    darkest: float = 25.0  # mean lightness of the face, 0..100
    brightest: float = 92.0
    clipped: float = 0.2  # share of the face that is burnt out or black
    cheek_difference: float = 25.0
    cheek_difference_good: float = 15.0
    eye_open: float = 0.12
    mouth_gap_good: float = 0.03


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason: a stable code, a plain sentence, the number and the limit that it missed."""

    code: str
    message: str
    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class _Rule:
    """A measure and the name of its limit; ``text`` takes the value and the limit."""

    measure: str
    limit: str
    code: str
    text: str

    def find(self, value: float, limit: float) -> Finding:
        return Finding(self.code, self.text.format(value, limit), value, limit)


_AT_MOST = (
    _Rule("yaw_deg", "yaw_deg", "portrait.turned", "The head is turned by {:.0f} degrees; at most {:.0f}."),
    _Rule(
        "pitch_deg",
        "pitch_deg",
        "portrait.nodded",
        "The head is bowed or raised {:.0f} degrees; at most {:.0f}.",
    ),
    _Rule("roll_deg", "roll_deg", "portrait.tilted", "The head is tilted by {:.0f} degrees; at most {:.0f}."),
    _Rule(
        "lightness", "brightest", "portrait.bright", "The face is too bright: {:.0f} of 100; at most {:.0f}."
    ),
    _Rule(
        "clipped", "clipped", "portrait.clipped", "{:.0%} of the face is burnt out or black; at most {:.0%}."
    ),
    _Rule(
        "cheek_difference",
        "cheek_difference",
        "portrait.side_light",
        "The light is uneven: the cheeks differ by {:.0f} of 100; at most {:.0f}.",
    ),
)
_AT_LEAST = (
    _Rule(
        "eyes_apart_px", "eyes_apart_px", "portrait.small", "The eyes are {:.0f} px apart; at least {:.0f}."
    ),
    _Rule("sharpness", "sharpness", "portrait.soft", "The face is not sharp: {:.1f}; at least {:.1f}."),
    _Rule("lightness", "darkest", "portrait.dark", "The face is too dark: {:.0f} of 100; at least {:.0f}."),
    _Rule("eye_open", "eye_open", "portrait.eyes_closed", "The eyes are closed: {:.2f}; at least {:.2f}."),
)
_BETTER_AT_MOST = (
    _Rule(
        "mouth_gap",
        "mouth_gap_good",
        "portrait.smiling",
        "The mouth is open by {:.2f} of the eyes' distance; a closed one (up to {:.2f}) is better.",
    ),
    _Rule(
        "cheek_difference",
        "cheek_difference_good",
        "portrait.some_side_light",
        "The cheeks differ by {:.0f} of 100 in light; up to {:.0f} is even light.",
    ),
)
_BETTER_AT_LEAST = (
    _Rule(
        "eyes_apart_px",
        "eyes_apart_good_px",
        "portrait.smallish",
        "The eyes are {:.0f} px apart; from {:.0f} on the result is sharper.",
    ),
)


def judge(
    measures: Mapping[str, float], limits: PortraitLimits
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Failures, and warnings about what did not already fail."""
    failures = _above(_AT_MOST, measures, limits) + _below(_AT_LEAST, measures, limits)
    failed = {rule.measure for rule in _AT_MOST + _AT_LEAST if rule.code in {item.code for item in failures}}
    mild = [rule for rule in _BETTER_AT_MOST if rule.measure not in failed]
    small = [rule for rule in _BETTER_AT_LEAST if rule.measure not in failed]
    return failures, _above(tuple(mild), measures, limits) + _below(tuple(small), measures, limits)


def _above(
    rules: tuple[_Rule, ...], measures: Mapping[str, float], limits: PortraitLimits
) -> tuple[Finding, ...]:
    pairs = ((rule, abs(measures[rule.measure]), getattr(limits, rule.limit)) for rule in rules)
    return tuple(rule.find(value, limit) for rule, value, limit in pairs if not value <= limit)


def _below(
    rules: tuple[_Rule, ...], measures: Mapping[str, float], limits: PortraitLimits
) -> tuple[Finding, ...]:
    pairs = ((rule, measures[rule.measure], getattr(limits, rule.limit)) for rule in rules)
    return tuple(rule.find(value, limit) for rule, value, limit in pairs if not value >= limit)
