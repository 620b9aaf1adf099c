"""The rules of the gate: facts in, a decision out, nothing else.

- A rule is a small function that gives the reason codes it found, or none.
- Every fact may be missing (None); a missing fact is a reason to refuse, never a pass.
- Not a number is a missing fact. An error inside a rule is a reason to refuse.
- A policy without rules refuses. The worst answer wins: one reason refuses.
- There is no person who reviews: what a reviewer would look at is refused with its own code.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import rfc8785

MISSING = "gate.missing_fact"
"""A fact that a rule needs is not known."""
ERROR = "gate.error"
"""A rule could not be evaluated."""
NO_RULES = "gate.no_rules"
"""The policy is empty."""
FACTS_MAX_AGE = timedelta(minutes=5)
"""Facts older than this are not decided on: licences and block lists change."""
MIN_SHORT_SIDE_PX = 240
"""Below this the invisible mark is not written (watermark: short side)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the gate knows about one request; None is "not known", and refuses.

    Distances are those of the embedding model: smaller is nearer. ``blocked_distance`` and
    ``stranger_distance`` are infinite when there is nobody to compare with.
    """

    gathered: datetime | None = None
    requester: bool | None = None
    licence_reasons: tuple[str, ...] | None = None
    consent_id: str | None = None
    epoch: int | None = None
    outputs_left: int | None = None
    source_licensed: bool | None = None
    source_sha256: str | None = None
    media_sha256: str | None = None
    media_problems: tuple[str, ...] | None = None
    short_side_px: int | None = None
    frames: int | None = None
    duration_s: float | None = None
    models: tuple[str, ...] | None = None
    stored_sha256: str | None = None
    templates_model: str | None = None
    embedder: str | None = None
    gallery_model: str | None = None
    gallery: int | None = None
    same: float | None = None
    review: float | None = None
    frames_looked_at: int | None = None
    strong_faces: int | None = None
    strong_without_embedding: int | None = None
    blocked_distance: float | None = None
    strangers: int | None = None
    stranger_distance: float | None = None
    performers: tuple[str, ...] | None = None
    faces_at_once: int | None = None


Rule = Callable[[Facts, datetime], tuple[str, ...]]


class Verdict(StrEnum):
    """What the gate says."""

    ADMIT = "admit"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Policy:
    """A named, numbered list of rules; ``sha256`` names exactly this list."""

    name: str
    version: int
    rules: tuple[Rule, ...]

    @property
    def sha256(self) -> str:
        """Hash of the name, the version and the rules' names, as hex."""
        names: list[str] = [rule.__name__ for rule in self.rules]
        return hashlib.sha256(
            rfc8785.dumps({"name": self.name, "rules": names, "version": self.version})
        ).hexdigest()


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, every reason, and the rule that gave the first one."""

    verdict: Verdict
    reasons: tuple[str, ...]
    rule: str

    @property
    def admitted(self) -> bool:
        """True only for a clean admission."""
        return self.verdict is Verdict.ADMIT and not self.reasons


def decide(facts: Facts, policy: Policy, now: datetime) -> Decision:
    """Apply every rule of ``policy``; refused when any rule has a reason, or when there is no rule."""
    if not policy.rules:
        return Decision(Verdict.REFUSE, (NO_RULES,), "no_rules")
    found: list[tuple[str, str]] = []
    for rule in policy.rules:
        try:
            reasons = rule(facts, now)
        except Exception:  # noqa: BLE001  fail closed: whatever went wrong in a rule, it did not admit
            reasons = (ERROR,)
        found.extend((rule.__name__, reason) for reason in reasons)
    if found:
        return Decision(Verdict.REFUSE, tuple(dict.fromkeys(reason for _, reason in found)), found[0][0])
    return Decision(Verdict.ADMIT, (), policy.name)


def _known(*values: object) -> bool:
    return all(
        value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))
        for value in values
    )


def _numbers(*values: float | None) -> tuple[float, ...] | None:
    """The values when each is a number, else None."""
    known = tuple(value for value in values if value is not None and not math.isnan(value))
    return known if len(known) == len(values) else None


def facts_are_fresh(facts: Facts, now: datetime) -> tuple[str, ...]:
    """Facts are from now, not from the past or the future."""
    if facts.gathered is None:
        return (MISSING,)
    age = now - facts.gathered
    return ("gate.stale",) if age > FACTS_MAX_AGE or age < -timedelta(seconds=5) else ()


def actor_may_request(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """The actor has the requester's role."""
    if facts.requester is None:
        return (MISSING,)
    return () if facts.requester is True else ("actor.role",)


def licence_permits(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """The source's licence is active and covers the use; its own reasons are passed on."""
    if facts.licence_reasons is None:
        return (MISSING,)
    if facts.licence_reasons:
        return facts.licence_reasons
    return () if _known(facts.consent_id, facts.epoch) else ("licence.missing",)


def outputs_are_left(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """The licence allows one more output; without a licence its own reasons answer."""
    if facts.licence_reasons:
        return ()
    if facts.outputs_left is None:
        return (MISSING,)
    return () if facts.outputs_left > 0 else ("scope.outputs",)


def source_is_licensed(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """The source picture is exactly a licensed portrait."""
    if facts.source_licensed is None or not facts.source_licensed:
        return ("source.not_licensed",)
    return () if _known(facts.source_sha256) else (MISSING,)


def media_is_sane(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """The footage has frames, a duration, and a size that can carry the marks."""
    problems, side, frames, seconds = (
        facts.media_problems,
        facts.short_side_px,
        facts.frames,
        facts.duration_s,
    )
    if (
        problems is None
        or side is None
        or frames is None
        or seconds is None
        or not _known(facts.media_sha256)
    ):
        return (MISSING,)
    if problems:
        return problems
    if not (frames > 0 and math.isfinite(seconds) and seconds > 0):
        return ("media.empty",)
    return ("media.too_small",) if side < MIN_SHORT_SIDE_PX else ()


def models_are_known(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """The models that will run are named by their hashes."""
    if facts.models is None:
        return (MISSING,)
    return () if facts.models and all(facts.models) else ("models.missing",)


def input_is_unchanged(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """The stored bytes are the ones that were uploaded."""
    if not _known(facts.stored_sha256, facts.media_sha256):
        return (MISSING,)
    return () if facts.stored_sha256 == facts.media_sha256 else ("input.changed",)


def models_compare(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """Templates, block list and embedder speak of the same model, and its thresholds make sense."""
    if not _known(facts.embedder, facts.templates_model, facts.gallery_model, facts.same, facts.review):
        return (MISSING,)
    if facts.templates_model != facts.embedder or facts.gallery_model != facts.embedder:
        return ("embedding.mismatch",)
    ordered = facts.same is not None and facts.review is not None and 0 < facts.same <= facts.review
    return () if ordered else ("calibration.invalid",)


def nobody_is_blocked(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """No face of the footage is near a blocked one."""
    numbers = _numbers(facts.gallery, facts.blocked_distance, facts.review)
    if numbers is None:
        return (MISSING,)
    _, distance, review = numbers
    return ("face.blocked",) if distance <= review else ()


def footage_was_seen(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """Frames were looked at, and every face that could be replaced could be compared."""
    if facts.frames_looked_at is None or facts.strong_without_embedding is None:
        return (MISSING,)
    complete = facts.frames_looked_at > 0 and facts.strong_without_embedding == 0
    return () if complete else ("coverage.incomplete",)


def footage_has_a_face(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """There is a face to replace."""
    if facts.strong_faces is None:
        return (MISSING,)
    return () if facts.strong_faces > 0 else ("target.no_face",)


def performers_released(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """Every face that could be replaced belongs to a performer with a release."""
    numbers = _numbers(facts.strangers, facts.stranger_distance, facts.review)
    if numbers is None or facts.performers is None:
        return (MISSING,)
    strangers, distance, review = numbers
    if strangers == 0:
        # Without a face there is nobody to release: that rule answers.
        return () if facts.performers or facts.strong_faces == 0 else ("performer.no_release",)
    return ("face.review",) if distance <= review else ("performer.no_release",)


def one_performer(facts: Facts, now: datetime) -> tuple[str, ...]:  # noqa: ARG001
    """One face at a time and one person in all: nothing says who of several is meant."""
    if facts.performers is None or facts.faces_at_once is None:
        return (MISSING,)
    several = facts.faces_at_once > 1 or len(set(facts.performers)) > 1
    return ("target.ambiguous",) if several else ()


_CHEAP: tuple[Rule, ...] = (
    facts_are_fresh,
    actor_may_request,
    licence_permits,
    outputs_are_left,
    source_is_licensed,
    media_is_sane,
)
SUBMIT = Policy("likeness.submit", 1, _CHEAP)
"""What can be answered at once, from rows alone."""
ADMIT = Policy(
    "likeness.admit",
    1,
    (
        *_CHEAP, models_are_known, input_is_unchanged, models_compare, nobody_is_blocked, footage_was_seen,
        footage_has_a_face, performers_released, one_performer,
    ),
)  # fmt: skip
"""Everything, with the faces of the footage; only this policy leads to a permit."""
