"""The witness by file: a request is carried out, the cosigned checkpoint is carried back."""

from audit import pushing, witnesses
from audit.checkpoint import Checkpoint, KeyType, Note, VerifierKey
from audit.errors import NoCheckpointError, NoteError, PolicyError, WitnessError
from audit.pushing import Connection
from audit.witness import Answer, Request, Witness


def request(connection: Connection, *, name: str, old: int | None = None) -> Request:
    """What to carry to a witness of log.policy: the newest head, from the size that it cosigned last.

    `old` is that size where the witness has said another than this log remembers.

    Raises:
        WitnessError: log.policy names no such witness.
        NoCheckpointError: nothing was signed yet.
    """
    head = pushing.newest(connection)
    if head is None:
        raise NoCheckpointError("The log has no signed head.")
    key = named(name)
    return pushing.request(connection, pushing.cosigned_size(connection, key) if old is None else old, *head)


def cosign(held: Witness, asked: bytes) -> str:
    """The cosigned checkpoint to carry back.

    Raises:
        WitnessError: the witness refused; the message holds its status and why.
    """
    answer = held.add_checkpoint(asked)
    if answer.status == 409:
        size = answer.body.strip()
        raise WitnessError(
            f"409: this witness cosigned a tree of {size}; ask for a request with --old {size}."
        )
    if answer.status != 200:
        raise WitnessError(f"{answer.status}: {answer.body.strip()}")
    return Request.parse(asked).note + answer.body


def accept(connection: Connection, note: str) -> int:
    """Store the cosignatures that a courier brought; the size of the head that they confirm.

    A cosigned head that this log never signed is evidence against it: signing is frozen.

    Raises:
        NoteError: nobody that log.policy names cosigned it, or a signature is wrong.
        WitnessError: it is of another log, or of a head that this one does not have.
    """
    known = witnesses.load()
    if known is None:
        raise PolicyError(f"There is no {witnesses.policy_path()}.")
    parsed = Note.parse(note)
    head = Checkpoint.parse(parsed.text)
    signed = parsed.signers([*known.logs, *known.witnesses.values()])
    cosigners = [key for key in signed if key.key_type is KeyType.COSIGNATURE]
    if not cosigners or not any(key in signed and key.name == head.origin for key in known.logs):
        raise NoteError("The note is not signed by this log and a witness of log.policy.")
    ours = pushing.head_of(connection, parsed)
    if ours is None:
        pushing.freeze(connection, cosigners[0], parsed, Answer(0, "The log does not hold this head.\n"))
        raise WitnessError(f"A tree of {head.size} was cosigned that is not this log's. Signing is frozen.")
    for key in cosigners:
        pushing.accept(connection, key, *ours, _line(parsed, key))
    return head.size


def _line(note: Note, key: VerifierKey) -> str:
    return next(str(line) for line in note.signatures if (line.name, line.key_id) == (key.name, key.id))


def named(name: str) -> VerifierKey:
    """The key of one witness of log.policy; of the only one if no name is given.

    Raises:
        WitnessError: there is none of that name, or several and no name.
    """
    known = witnesses.load()
    keys = known.witnesses if known else {}
    if not name and len(keys) == 1:
        return next(iter(keys.values()))
    if name not in keys:
        raise WitnessError(
            f"log.policy names {', '.join(keys) or 'no witness'}; {name or 'which one'} is asked for."
        )
    return keys[name]
