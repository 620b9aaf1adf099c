"""Which log an auditor trusts and whose cosignatures it asks for (https://c2sp.org/tlog-policy).

The policy file comes from someone other than the sender of a proof.
"""

from collections.abc import Set
from dataclasses import dataclass, field

from audit.checkpoint import Checkpoint, KeyType, Note, VerifierKey
from audit.errors import NoteError, PolicyError

NO_QUORUM = "none"


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of witnesses and groups, of which `needed` must have cosigned."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Trusted logs, known witnesses and the quorum that a checkpoint needs."""

    logs: tuple[VerifierKey, ...]
    witnesses: dict[str, VerifierKey]
    groups: dict[str, Group]
    quorum: str
    urls: dict[str, str] = field(default_factory=dict)
    """Where the witnesses that can be asked over the network answer."""

    def cosigned(self, note: str) -> dict[str, int]:
        """Which witnesses cosigned a note, and at which POSIX second; the log's own signature is not checked.

        Raises:
            NoteError: the note is malformed, or the signature of a known witness is wrong.
        """
        parsed = Note.parse(note)
        names = {key: name for name, key in self.witnesses.items()}
        known = {(key.name, key.id) for key in names}
        if not any((line.name, line.key_id) in known for line in parsed.signatures):
            return {}
        return {names[key]: time for key, time in parsed.signers(names).items() if time is not None}

    def is_met(self, name: str, cosigned: Set[str]) -> bool:
        """Whether the witness, group or `none` of this name is satisfied by `cosigned`."""
        if name == NO_QUORUM:
            return True
        if name in self.witnesses:
            return name in cosigned
        group = self.groups[name]
        return sum(self.is_met(member, cosigned) for member in group.members) >= group.needed

    def open_checkpoint(self, note: str) -> Checkpoint:
        """The tree head of a note that a trusted log and a quorum of witnesses signed.

        Raises:
            NoteError: no trusted log signed it, or a known signature is wrong.
            CheckpointError: what was signed is malformed.
            PolicyError: the quorum did not cosign.
        """
        parsed = Note.parse(note)
        signed = parsed.signers([*self.logs, *self.witnesses.values()])
        head = Checkpoint.parse(parsed.text)
        if not any(key in signed and key.name == head.origin for key in self.logs):
            raise NoteError(f"No trusted key of {head.origin!r} signed the checkpoint.")
        cosigned = {name for name, key in self.witnesses.items() if key in signed}
        if not self.is_met(self.quorum, cosigned):
            raise PolicyError(f"The quorum {self.quorum!r} did not cosign; these did: {sorted(cosigned)}.")
        return head


def parse(text: str) -> Policy:
    """Read a policy file.

    Raises:
        PolicyError: an unknown line, a name or key used twice, a member not defined yet, no log, no quorum.
    """
    if any(ord(c) < 0x20 and c not in "\t\n" for c in text):
        raise PolicyError("The policy holds a control character.")
    reading = _Reading()
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            try:
                reading.take(words)
            except (PolicyError, NoteError) as error:
                raise PolicyError(f"Line {number} of the policy: {error}") from error
    if reading.quorum is None or not reading.logs:
        raise PolicyError("The policy needs at least one log and exactly one quorum line.")
    return Policy(tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum, reading.urls)


class _Reading:
    """What the lines of a policy have said so far."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, VerifierKey] = {}
        self.groups: dict[str, Group] = {}
        self.urls: dict[str, str] = {}
        self.quorum: str | None = None
        self._keys: set[bytes] = set()
        self._members: set[str] = set()

    def take(self, words: list[str]) -> None:
        """Take in one line, split into words."""
        match words:
            case ["log", key] | ["log", key, _]:
                self.logs.append(self._key(key, KeyType.ED25519))
            case ["witness", name, key, *url] if len(url) < 2:
                self._new(name)
                self.witnesses[name] = self._key(key, KeyType.COSIGNATURE)
                if url:
                    self.urls[name] = url[0].rstrip("/")
            case ["group", name, count, *members] if members:
                self._new(name)
                self.groups[name] = self._group(count, tuple(members))
            case ["quorum", name] if self.quorum is None:
                if name != NO_QUORUM and not self._is_defined(name):
                    raise PolicyError(f"{name!r} is not defined.")
                self.quorum = name
            case _:
                raise PolicyError(f"a {words[0]!r} line is unknown, malformed or repeated.")

    def _is_defined(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups

    def _new(self, name: str) -> None:
        if name == NO_QUORUM or self._is_defined(name):
            raise PolicyError(f"the name {name!r} is used twice or reserved.")

    def _key(self, text: str, key_type: KeyType) -> VerifierKey:
        key = VerifierKey.parse(text)
        if key.key_type is not key_type:
            raise PolicyError(f"the key of {key.name!r} has the wrong type.")
        if key.public in self._keys:
            raise PolicyError(f"the key of {key.name!r} is used twice.")
        self._keys.add(key.public)
        return key

    def _group(self, count: str, members: tuple[str, ...]) -> Group:
        for member in members:
            if not self._is_defined(member) or member in self._members:
                raise PolicyError(f"the member {member!r} is not defined or already in a group.")
            self._members.add(member)
        needed = {"any": "1", "all": str(len(members))}.get(count, count)
        if not (needed.isascii() and needed.isdecimal() and str(int(needed)) == needed):
            raise PolicyError(f"{count!r} is not a number of members.")
        if not 1 <= int(needed) <= len(members):
            raise PolicyError(f"{needed} of {len(members)} members cannot be asked for.")
        return Group(int(needed), members)
