"""What the log can say: who did it, and one frozen class per event.

Fields are integers, short ASCII tokens and tuples of tokens. People are random pseudonyms; their pictures and
papers are commitments. A field with a default is optional and left out of the leaf when it is empty.
"""

from dataclasses import dataclass
from typing import ClassVar

SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a pseudonym (`usr_` and 16 hex digits) or `system`, in one tenant."""

    id: str
    tenant: str
    roles: frozenset[str] = frozenset()

    def has(self, role: str) -> bool:
        """Whether the actor holds a role."""
        return role in self.roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened; `type` names it in the log."""

    type: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOpened(Event):
    """A new log began; the first entry of every log.

    One that goes on from a log whose end was lost names that one, what was signed of it last, and how many of
    its entries are kept before this one; `previous_note` is the SHA-256 of the signed note.
    """

    type = "log.opened"
    origin: str
    key: str = ""
    previous: str = ""
    previous_size: int = 0
    previous_root: str = ""
    previous_note: str = ""
    kept: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRestored(Event):
    """The lost end of the log was put back from a signed copy: entries from `kept` to `size`."""

    type = "log.restored"
    kept: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdded(Event):
    """A key came into use."""

    type = "key.added"
    key: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRetired(Event):
    """A key is used no more."""

    type = "key.retired"
    key: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogResumed(Event):
    """A person let the log be signed again after a witness had refused it; `evidence` is a SHA-256."""

    type = "log.resumed"
    reason: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQueried(Event):
    """Somebody searched the log; never the value that was searched for."""

    type = "audit.queried"
    kinds: tuple[str, ...]
    hits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDisclosed(Event):
    """Somebody took an evidence bundle away, or was told the words of one entry.

    `bundle` is the bundle's SHA-256, `index` the entry that was told, `disclosures` counts details.
    """

    type = "audit.disclosed"
    entries: int
    bundle: str = ""
    job: str = ""
    disclosures: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectErased(Event):
    """A person's material, names and details were erased; the counts say how many rows and files of each."""

    type = "subject.erased"
    identity: str
    subject: str
    portraits: int = 0
    keys: int = 0
    documents: int = 0
    details: int = 0
    outputs: int = 0
    basis: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityEnrolled(Event):
    """A person's likeness was enrolled; `portraits` are commitments."""

    type = "identity.enrolled"
    identity: str
    subject: str
    portraits: tuple[str, ...] = ()
    template_model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ConsentChanged(Event):
    """What every step of a licence says; `document` and `scope` are hashes, `reason` is a code.

    `detail` commits to words that are told beside the log: `sha256:` and the hash of salt and words.
    """

    consent: str
    identity: str
    revision: int
    document: str = ""
    scope: str = ""
    not_before: str = ""
    not_after: str = ""
    role: str = ""
    epoch: int = 0
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSubmitted(_ConsentChanged):
    """A licence was put to review."""

    type = "consent.submitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentApproved(_ConsentChanged):
    """One approver agreed, in one role."""

    type = "consent.approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRejected(_ConsentChanged):
    """An approver refused."""

    type = "consent.rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRevoked(_ConsentChanged):
    """A licence ended before its time."""

    type = "consent.revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentExpired(_ConsentChanged):
    """The term of a licence ended, and the nightly task closed it."""

    type = "consent.expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceBlocked(Event):
    """A face was put on a blocklist."""

    type = "face.blocked"
    entry: str
    list: str
    version: int
    identity: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceUnblocked(Event):
    """A face was taken off a blocklist."""

    type = "face.unblocked"
    entry: str
    list: str
    version: int
    identity: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecided(Event):
    """The gate said yes or no, by which rule and policy, from which facts."""

    type = "gate.decided"
    job: str
    stage: str
    decision: str
    reasons: tuple[str, ...] = ()
    rule: str = ""
    policy: str = ""
    policy_version: int = 0
    identity: str = ""
    consents: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    distance_ppm: int = 0
    threshold_ppm: int = 0
    gallery: int = 0
    script: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _GenerationChanged(Event):
    job: str
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationQueued(_GenerationChanged):
    """A job was admitted and queued."""

    type = "generation.queued"
    identity: str = ""
    consents: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    admission: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationStarted(_GenerationChanged):
    """A worker began."""

    type = "generation.started"
    worker: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationFinished(_GenerationChanged):
    """A job gave an output; `output` is the file's SHA-256."""

    type = "generation.finished"
    output: str
    bytes: int
    mime: str
    frames: int = 0
    similarity_ppm: int = 0
    skipped: int = 0
    models: tuple[str, ...] = ()
    params: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationFailed(_GenerationChanged):
    """A job ended without an output."""

    type = "generation.failed"
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationCancelled(_GenerationChanged):
    """A job was stopped by somebody."""

    type = "generation.cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelApplied(Event):
    """The marks of an output: `mark` is the invisible id, `manifest` the C2PA manifest's SHA-256.

    `label` is the form of the visible label, `profile` the law that it follows, `marks` what was read back.
    """

    type = "label.applied"
    job: str
    label: str
    algorithm: str = ""
    mark: str = ""
    produce_id: str = ""
    manifest: str = ""
    profile: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDownloaded(Event):
    """Somebody took an output away."""

    type = "output.downloaded"
    job: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputWithdrawn(Event):
    """An output may no longer be delivered."""

    type = "output.withdrawn"
    job: str
    output: str = ""
    consent: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequested(Event):
    """Somebody asked for a copy of an output without the visible label.

    `agreement` names the agreement with the recipient, `declaration` the words that they signed; `detail`
    commits to the recipient's name and the purpose, which are told beside the log.
    """

    type = "export.requested"
    export: str
    job: str
    agreement: str
    declaration: str
    retention: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportApproved(Event):
    """A second person agreed; `copy` is the job that makes it."""

    type = "export.approved"
    export: str
    job: str
    copy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRejected(Event):
    """A second person did not agree."""

    type = "export.rejected"
    export: str
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportDelivered(Event):
    """The copy is ready; `job` made it out of the inputs of `original`, `keep_until` is a day (UTC)."""

    type = "export.delivered"
    export: str
    job: str
    original: str
    output: str
    mark: str
    retention: str
    keep_until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportErased(Event):
    """The recipient's name and the purpose were erased, after the time for which they had to be kept."""

    type = "export.erased"
    export: str
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HookAdded(Event):
    """An address outside is told of jobs from now on; `url` is the SHA-256 of it."""

    type = "hook.added"
    hook: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRemoved(Event):
    """An address is told of jobs no more."""

    type = "hook.removed"
    hook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSent(Event):
    """Words of a script are about to leave the house, to be spoken by an engine at `host`.

    `script` commits to them, `characters` counts those that this voice says; `job` is a presentation or a
    preview.
    """

    type = "script.sent"
    job: str
    host: str
    script: str
    voice: str
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LikenessSent(Event):
    """A person's face and speech are about to leave the house, to an engine at `host` that moves the lips.

    `consent` is what the person's face is used under; `frames` counts those that go.
    """

    type = "likeness.sent"
    job: str
    consent: str
    host: str
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _TemplateChanged(Event):
    """What every change of a template says; `sha256` is of the version that is used from now on."""

    template: str
    version: int
    sha256: str
    previous: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateActivated(_TemplateChanged):
    """A second person approved a version of a template; videos look like it from now on."""

    type = "template.activated"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRolledBack(_TemplateChanged):
    """Somebody went back to an earlier version."""

    type = "template.rolled_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFellBack(_TemplateChanged):
    """The version in use failed its checks; an earlier one was used for one video. `problem` is a code."""

    type = "template.fell_back"
    presentation: str
    problem: str


TYPES: dict[str, type[Event]] = {
    kind.type: kind
    for kind in (
        *(LogOpened, LogRestored, LogResumed, KeyAdded, KeyRetired, AuditQueried, AuditDisclosed),
        *(IdentityEnrolled, SubjectErased),
        *(ConsentSubmitted, ConsentApproved, ConsentRejected, ConsentRevoked, ConsentExpired),
        *(FaceBlocked, FaceUnblocked),
        *(GateDecided, GenerationQueued, GenerationStarted, GenerationFinished, GenerationFailed),
        *(GenerationCancelled, LabelApplied, OutputDownloaded, OutputWithdrawn),
        *(ExportRequested, ExportApproved, ExportRejected, ExportDelivered, ExportErased),
        *(HookAdded, HookRemoved, ScriptSent, LikenessSent),
        *(TemplateActivated, TemplateRolledBack, TemplateFellBack),
    )
}
"""Every event the log accepts, by the name it has there."""
