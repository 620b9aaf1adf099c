"""The witnesses that this installation knows: `log.policy` of its home, and the local one that it may run.

The policy is the operator's own. An auditor uses another one, from someone else; it may well be equal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from audit import keys, policy, signer, witness
from audit.checkpoint import VerifierKey
from audit.errors import NoteError, PolicyError
from audit.models import Alarm, Checkpoint, Cosignature
from audit.policy import NO_QUORUM, Policy

POLICY_FILE, LOCAL_HOME, LOCAL_NAME = "log.policy", "witness", "demo"
STALE_AFTER_S = 3600
LOOK_BACK = 32  # cosigned heads that are looked at for the newest with a quorum
_DEMO_POLICY = """\
# Which log is trusted here, and whose cosignatures its checkpoints need (https://c2sp.org/tlog-policy).
# "{name}" is a witness of the same operator: it shows how one works and proves nothing to a stranger.
# For production name a witness of another organisation: witness NAME VKEY URL.
{logs}witness {name} {key}
quorum {name}
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


@dataclass(frozen=True, slots=True)
class WitnessHealth:
    """Whether the log is witnessed: the newest head with a quorum, each witness, and what is wrong.

    `fault` says why log.policy cannot be used; `quorum` is "none" where no witness is asked for.
    """

    quorum: str
    size: int
    time: datetime | None
    signed_size: int
    witnesses: tuple[WitnessState, ...]
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


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The newest head whose cosignatures satisfy the quorum, and when they last did."""

    size: int
    note: str
    time: datetime


def policy_path() -> Path:
    """Where the operator's policy lies."""
    return Path(settings.LIKENESS_HOME) / POLICY_FILE


def local_home() -> Path:
    """Where the local witness lies, if there is one."""
    return Path(settings.LIKENESS_HOME) / LOCAL_HOME


def load() -> Policy | None:
    """The operator's policy, None where there is none.

    Raises:
        PolicyError: it is malformed.
    """
    path = policy_path()
    return policy.parse(path.read_text(encoding="utf-8")) if path.exists() else None


def local_key() -> VerifierKey | None:
    """The key of the local witness, None where there is none."""
    path = local_home() / witness.KEY_FILE
    return VerifierKey.parse(path.read_text(encoding="utf-8").rstrip("\n")) if path.exists() else None


def ensure_policy() -> None:
    """Name the local witness in a policy, where there is a witness and no policy yet."""
    key = local_key()
    if key is not None and not policy_path().exists():
        logs = "".join(f"log {item}\n" for item in signer.published_keys())
        keys.replace_file(policy_path(), _DEMO_POLICY.format(name=LOCAL_NAME, logs=logs, key=key))


def trust(key: VerifierKey) -> None:
    """Name a further key of the log in the policy and to the local witness; the operator tells the others."""
    path = policy_path()
    if path.exists() and f"log {key}" not in (text := path.read_text(encoding="utf-8")):
        keys.replace_file(path, f"{text.rstrip()}\nlog {key}\n")
    if local_key() is not None:
        witness.trust(local_home(), key)


def url_of(name: str, known: Policy) -> str:
    """Where a witness answers; empty where a courier goes, or where the local one is not up."""
    place = local_home() / witness.URL_FILE
    if known.witnesses[name] == local_key() and place.exists():
        return place.read_text(encoding="utf-8").strip()
    return known.urls.get(name, "")


def lines(size: int) -> str:
    """The newest cosignature line of each witness under one head."""
    rows = Cosignature.objects.filter(size=size).order_by("witness", "-time").distinct("witness")
    return "".join(rows.values_list("line", flat=True))


def cosigned(known: Policy | None) -> Cosigned | None:
    """The newest head whose cosignatures satisfy the quorum; None where none does or none is asked for."""
    if known is None or known.quorum == NO_QUORUM:
        return None
    sizes = Cosignature.objects.order_by("-size").values_list("size", flat=True).distinct()
    for size in sizes[:LOOK_BACK]:
        note = Checkpoint.objects.get(size=size).note + lines(size)
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


def health() -> WitnessHealth:
    """Whether the log is witnessed; never raises for a broken policy, but says so."""
    fault, known = "", None
    try:
        known = load()
    except (PolicyError, UnicodeDecodeError) as error:
        fault = f"{policy_path()}: {error}"
    newest = cosigned(known)
    alarm = Alarm.objects.order_by("-seq").first()
    frozen = signer.frozen(signer.home()) or (alarm is not None and alarm.frozen)
    head = Checkpoint.objects.order_by("-size").first()
    return WitnessHealth(
        quorum=known.quorum if known else NO_QUORUM,
        size=newest.size if newest else 0,
        time=newest.time if newest else None,
        signed_size=head.size if head else 0,
        witnesses=tuple(_states(known)) if known else (),
        frozen=frozen,
        frozen_by=alarm.witness if frozen and alarm else "",
        frozen_at=alarm.created if frozen and alarm else None,
        fault=fault,
    )


def _states(known: Policy) -> Iterable[WitnessState]:
    local = local_key()
    for name, key in known.witnesses.items():
        row = Cosignature.objects.filter(witness=key.name).order_by("-size", "-time").first()
        yield WitnessState(
            name=name,
            key=str(key),
            url=url_of(name, known),
            same_operator=key == local,
            size=row.size if row else 0,
            time=_time(row.time) if row else None,
        )
