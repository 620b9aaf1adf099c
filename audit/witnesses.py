"""The witnesses that this installation knows: `log.policy` of its home, and the local one that it may run.

The policy is the operator's own. An auditor uses another one, from someone else; it may well be equal.
"""

from pathlib import Path

from django.conf import settings

from audit import keys, policy, signer, witness
from audit.checkpoint import VerifierKey
from audit.policy import Policy

POLICY_FILE, LOCAL_HOME, LOCAL_NAME = "log.policy", "witness", "demo"
_DEMO_POLICY = """\
# Which log is trusted here, and whose cosignatures its checkpoints need (https://c2sp.org/tlog-policy).
# "{name}" is a witness of the same operator: it shows how one works and proves nothing to a stranger.
# For production name a witness of another organisation: witness NAME VKEY URL.
{logs}witness {name} {key}
quorum {name}
"""


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
