"""What can go wrong in the log, as one flat tree.

AuditError
├── FormatError            bytes or text that are not what a format allows
│   ├── NoteError          signed notes, verifier keys, signatures
│   ├── CheckpointError    checkpoint bodies
│   ├── ProofError         inclusion and consistency proofs, .tlog-proof files
│   ├── TileError          tile paths, tiles and entry bundles
│   └── PolicyError        tlog-policy files
├── EventError             an event that the leaf rules refuse
│   └── PersonalDataError  an event that seems to hold personal data
├── NotInTransactionError  an append outside the caller's transaction
├── ReceiptTimeoutError    an event that is not in a signed tree yet
├── EntryNotFoundError     an index that the log does not hold
├── NoCheckpointError      a log that has no signed head yet
├── SequencerBusyError     a second sequencer of one database
├── SignerRefusedError     a tree that does not extend what was signed before
│   └── SigningFrozenError a log that a witness caught: nothing is signed until a person decides
├── SignerUnavailableError a key service that does not answer
├── KeyRotationError       a key that cannot be added or retired now
├── RestoreError           a log whose lost end cannot be put back, or that is not to be opened anew
├── LogKeyMissingError     a log whose public key is not published yet
├── CheckStateError        a check that cannot go on from where it was told to
├── TimestampError         a timestamp, or an authority, that cannot be used
│   └── TimestampUnavailableError  an authority that does not answer now
└── WitnessError           a witness, or a cosignature, that cannot be used
"""

from typing import ClassVar


class AuditError(Exception):
    """The root of the log's errors; `code` is stable, `hint` says what to do next."""

    code: ClassVar[str] = "audit.error"
    hint: ClassVar[str] = "Look at the sequencer's log."


class FormatError(AuditError):
    """Bytes or text that a format does not allow."""

    code = "audit.format"
    hint = "Fetch the file again from its source; do not repair it by hand."


class NoteError(FormatError):
    """A signed note, a verifier key or a signature that does not hold."""

    code = "audit.note"


class CheckpointError(FormatError):
    """A checkpoint body that is malformed."""

    code = "audit.checkpoint"


class ProofError(FormatError):
    """A proof that is malformed or does not lead to the root."""

    code = "audit.proof"


class TileError(FormatError):
    """A tile path, a tile or an entry bundle that is malformed or does not exist."""

    code = "audit.tile"


class PolicyError(FormatError):
    """A policy file that is malformed or that a checkpoint does not satisfy."""

    code = "audit.policy"


class EventError(AuditError):
    """An event that the leaf rules refuse."""

    code = "audit.event"
    hint = (
        "Leaves hold integers and short ASCII tokens only; keep details beside the log and log a commitment."
    )


class PersonalDataError(EventError):
    """An event that seems to hold personal data."""

    code = "audit.personal_data"
    hint = "Log a random pseudonym instead; the log can never be erased."


class NotInTransactionError(AuditError):
    """An append outside a transaction."""

    code = "audit.no_transaction"
    hint = "Call append() inside the transaction.atomic() block that makes the change."


class ReceiptTimeoutError(AuditError):
    """An event that did not reach a signed tree in time."""

    code = "audit.receipt_timeout"
    hint = "Check that the sequencer runs (`likeness up`), then ask again."


class EntryNotFoundError(AuditError):
    """An index that the log does not hold."""

    code = "audit.no_entry"
    hint = "Ask for an index below the size of the newest checkpoint."


class NoCheckpointError(AuditError):
    """A log without a signed head."""

    code = "audit.no_checkpoint"
    hint = "Start the sequencer (`likeness up`); it opens and signs the log."


class SequencerBusyError(AuditError):
    """A second sequencer on one database."""

    code = "audit.sequencer_busy"
    hint = "Stop the other sequencer first, or let it do the work."


class SignerRefusedError(AuditError):
    """A tree that does not extend the one that was signed before."""

    code = "audit.signer_refused"
    hint = (
        "The database was restored to an older state, or edited. There are two safe ways on. Put the missing"
        " entries back from a copy that `likeness audit export` made on a standby or earlier: `likeness audit"
        " replay DIR`; or, where they are lost, go on under a new name that says so: `likeness audit reopen"
        " --origin NEW`. Never reset or delete the signer's mark."
    )


class SigningFrozenError(SignerRefusedError):
    """A witness showed that this log is not the one it cosigned; nothing is signed until a person decides."""

    code = "audit.frozen"
    hint = (
        "Read the request and the answer that are kept in signer/frozen of the home directory, find out who"
        " changed the log, and only then run `likeness witness resume --reason CODE`."
    )


class SignerUnavailableError(AuditError):
    """The service that holds the log's key does not answer, or not with a signature."""

    code = "audit.signer_unavailable"
    hint = "Check the key service's address, its token and its seal; entries wait unsigned until it answers."


class KeyRotationError(AuditError):
    """A key that cannot be added or retired now."""

    code = "audit.rotation"
    hint = (
        "`likeness audit keys` shows which keys sign; retire a key only after both have signed a checkpoint."
    )


class RestoreError(AuditError):
    """A log whose lost end cannot be put back from a copy, or that must not be opened under a new origin."""

    code = "audit.restore"
    hint = "Run `likeness audit check`; what was edited is not restored, but investigated."


class LogKeyMissingError(AuditError):
    """A log whose public key is not published yet."""

    code = "audit.no_log_key"
    hint = "Start the sequencer once; it publishes the key beside its high-water mark."


class CheckStateError(AuditError):
    """A check that cannot start or go on where it was told to."""

    code = "audit.check_state"
    hint = "Name a size that has a signed checkpoint, or check the whole log: `likeness audit check`."


class TimestampError(AuditError):
    """A timestamp, or a timestamp authority, that cannot be used; nothing of it is stored."""

    code = "audit.timestamp"
    hint = "LIKENESS_TSA_URL is an RFC 3161 authority's address, LIKENESS_TSA_ROOTS a PEM file with its root."


class TimestampUnavailableError(TimestampError):
    """A timestamp authority that does not answer now."""

    code = "audit.timestamp_unavailable"
    hint = "The head is stamped later: the task asks again, and the next night stamps the newest head."


class WitnessError(AuditError):
    """A witness, or a cosignature, that cannot be used."""

    code = "audit.witness"
    hint = "Make a witness with `likeness witness init`, and name it in log.policy of the home directory."
