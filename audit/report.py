"""What a check found, as a signed note: who reads it later can tell that nobody changed it since.

The installation signs it under `<origin>/check`, with another key than the log's: a report is no checkpoint.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.utils.module_loading import import_string

from audit import checkpoint, fsck, keys, selectors, signer
from audit.checkpoint import Note, Signature, VerifierKey
from audit.ranges import Problem

FOLDER, KEY_FILE = "checks", "check.vkey"
_SEED = "witness"  # of the keyring: the installation's own word about its log
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """A signed report and the key that it verifies with."""

    note: str
    key: VerifierKey


def sign(problems: Sequence[Problem], *, since: int, begun: datetime) -> Report:
    """Sign what a check found; its key is published beside the log's."""
    seed: bytes = import_string(settings.LIKENESS_KEYRING)().seed(_SEED)
    key = checkpoint.verifier(f"{settings.LIKENESS_LOG_ORIGIN}/check", seed)
    keys.replace_file(signer.home() / KEY_FILE, f"{key}\n")
    text = _text(problems, since, begun)
    signature = Signature(key.name, key.id, keys.SeedSigning(seed).sign(text.encode()))
    return Report(str(Note(text, (signature,))), key)


def nightly() -> int:
    """Check the whole log, keep the day's signed report under checks/; how many things do not hold."""
    begun = datetime.now(UTC)
    problems = fsck.check()  # one process: a worker's child has no children of its own
    for problem in problems:
        log.critical("the log does not hold: %s", problem.message)
    folder = Path(settings.LIKENESS_HOME) / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    signed = sign(problems, since=0, begun=begun)
    keys.replace_file(folder / f"{begun:%Y-%m-%d}.note", signed.note)
    return len(problems)


def _text(problems: Sequence[Problem], since: int, begun: datetime) -> str:
    head, health = selectors.checkpoint(), selectors.witness_health()
    lines = [
        f"Check of the log {settings.LIKENESS_LOG_ORIGIN}",
        f"begun {_moment(begun)}, ended {_moment(datetime.now(UTC))}",
        f"from entry {since} to the newest checkpoint: {head.size} entries, root {head.root}",
        f"cosigned by the quorum {health.quorum}: {health.size} entries"
        + (f" at {_moment(health.time)}" if health.time else ""),
        *(["FROZEN: a witness refused this log"] if health.frozen else []),
        f"problems: {len(problems)}",
        *(f"- {problem.message}" for problem in problems),
    ]
    return "".join(" ".join(line.split()) + "\n" for line in lines)


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
