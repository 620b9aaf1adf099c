"""Whether the log is witnessed: the newest head with a quorum, what each witness cosigned, and any alarm."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from audit import signer, witnesses
from audit.errors import NoteError, PolicyError
from audit.models import Alarm, Checkpoint, Cosignature
from audit.policy import NO_QUORUM, Policy

STALE_AFTER_S = 3600
LOOK_BACK = 32  # cosigned heads that are looked at for the newest with a quorum
_COSIGNED = """
    SELECT size, note || string_agg(line, '' ORDER BY witness)
    FROM (
      SELECT DISTINCT ON (size, witness) size, witness, line FROM audit_cosignature
      WHERE size IN (
        SELECT DISTINCT size FROM audit_cosignature JOIN audit_checkpoint USING (size)
        WHERE starts_with(note, %s) ORDER BY size DESC LIMIT %s)
      ORDER BY size, witness, time DESC
    ) AS newest JOIN audit_checkpoint USING (size)
    GROUP BY size, note ORDER BY size DESC
"""


@dataclass(frozen=True, slots=True)
class WitnessState:
    """One witness: what it cosigned last and when; `url` is empty where a courier goes."""

    name: str
    key: str
    url: str
    same_operator: bool
    size: int
    time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether the log is witnessed: the newest head with a quorum, and what is wrong.

    `fault` says why log.policy cannot be used; `quorum` is "none" where no witness is asked for.
    """

    quorum: str
    size: int
    time: datetime | None
    frozen: bool
    frozen_by: str
    frozen_at: datetime | None
    fault: str

    @property
    def stale(self) -> bool:
        """Whether a quorum is asked for and the newest cosigned head is older than an hour."""
        if self.quorum == NO_QUORUM:
            return False
        return self.time is None or (timezone.now() - self.time).total_seconds() > STALE_AFTER_S

    @property
    def alarm(self) -> bool:
        """Whether somebody has to look at the log now."""
        return self.frozen or bool(self.fault) or self.stale


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessHealth(Standing):
    """How the log stands, and each of its witnesses."""

    signed_size: int
    witnesses: tuple[WitnessState, ...]


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The newest head whose cosignatures satisfy the quorum, and when they last did."""

    size: int
    note: str
    time: datetime


def lines(size: int) -> str:
    """The newest cosignature line of each witness under one head."""
    rows = Cosignature.objects.filter(size=size).order_by("witness", "-time").distinct("witness")
    return "".join(rows.values_list("line", flat=True))


def cosigned(known: Policy | None) -> Cosigned | None:
    """The newest head whose cosignatures satisfy the quorum; None where none does or none is asked for."""
    if known is None or known.quorum == NO_QUORUM:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_COSIGNED, [f"{settings.LIKENESS_LOG_ORIGIN}\n", LOOK_BACK])
        heads: list[tuple[int, str]] = cursor.fetchall()
    for size, note in heads:
        when = _satisfied(known, note)
        if when is not None:
            return Cosigned(size, note, when)
    return None


def _satisfied(known: Policy, note: str) -> datetime | None:
    """Since when, seen from now, the quorum has been satisfied; None if it is not."""
    try:
        times = known.cosigned(note)
    except NoteError:
        return None
    counted: set[str] = set()
    for name in sorted(times, key=lambda name: -times[name]):
        counted.add(name)
        if known.is_met(known.quorum, counted):
            return _time(times[name])
    return None


def _time(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def standing() -> Standing:
    """How the log stands, in two queries; never raises for a broken policy, but says so."""
    known, fault = _policy()
    return Standing(**_standing(known, fault))


def health() -> WitnessHealth:
    """How the log stands, and what each witness cosigned."""
    known, fault = _policy()
    head = Checkpoint.objects.order_by("-size").first()
    return WitnessHealth(
        **_standing(known, fault),
        signed_size=head.size if head else 0,
        witnesses=tuple(_states(known)) if known else (),
    )


def _policy() -> tuple[Policy | None, str]:
    try:
        return witnesses.load(), ""
    except (PolicyError, UnicodeDecodeError) as error:
        return None, f"{witnesses.policy_path()}: {error}"


def _standing(known: Policy | None, fault: str) -> dict[str, Any]:
    newest = cosigned(known)
    alarm = Alarm.objects.order_by("-seq").first()
    frozen = signer.frozen(signer.home()) or (alarm is not None and alarm.frozen)
    return {
        "quorum": known.quorum if known else NO_QUORUM,
        "size": newest.size if newest else 0,
        "time": newest.time if newest else None,
        "frozen": frozen,
        "frozen_by": alarm.witness if frozen and alarm else "",
        "frozen_at": alarm.created if frozen and alarm else None,
        "fault": fault,
    }


def _states(known: Policy) -> Iterable[WitnessState]:
    local = witnesses.local_key()
    for name, key in known.witnesses.items():
        row = Cosignature.objects.filter(witness=key.name).order_by("-size", "-time").first()
        yield WitnessState(
            name=name,
            key=str(key),
            url=witnesses.url_of(name, known),
            same_operator=key == local,
            size=row.size if row else 0,
            time=_time(row.time) if row else None,
        )
