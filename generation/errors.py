"""What can go wrong between a request and its delivered video.

GenerationError
├── RoleError                 the actor's role does not allow it
├── NotFoundError             no such job, media, chunk or output in this tenant
├── JobStateError             the job is in a state that does not allow it
├── RefusedError              the gate refused; has the job's id and every reason
├── WithdrawnError            the output was withdrawn with its licence
├── GateError                 the gate cannot decide
│   ├── PermitError           a permit that does not hold, with the field that differs
│   │   └── StaleFramesError  people on it were compared with an older block list only
│   └── ReceiptPendingError   the log has not confirmed the decision yet
├── LeaseLostError            this process no longer holds the job or chunk
├── InputChangedError         bytes differ from the ones that were admitted
├── AlreadyOverError          the job ended while the work was going on
├── MarksMissingError         a plan or an output lacks a mark that it must carry
├── ExportError               an unlabelled copy that may not be made or handed out
│   ├── ExportOffError        this installation makes none
│   ├── ExportInvalidError    the request for one is not complete
│   └── ExportStateError      the request is in a state that does not allow it
├── OutputFormatError         an output of this kind is not made of this footage
├── PresentInvalidError       a request for a presentation that says what nobody knows
├── ClientIdTakenError        a client's id that belongs to another request
├── PreviewLimitError         more previews than one person, or this machine, makes at once
├── SyncOutOfBoundsError      mouth and sound of a finished file do not agree
├── CallbackRefusedError      an address that is not called, or a secret that does not belong to it
├── QuotaError                more presentations in flight than the tenant may have
├── TemplateStateError        a template or a version of it is in a state that does not allow it
├── TemplateUnusableError     no version of a template passes its checks
└── SealError                 the output cannot be sealed, and so it is not delivered
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class GenerationError(Exception):
    """Root of this package's errors; ``code`` is stable, ``hint`` says what to do next."""

    code = "generation.error"
    hint = "See the job's record."


class RoleError(GenerationError):
    """The actor's role does not allow it."""

    code = "role.missing"
    hint = "Ask an operator for the role."


class NotFoundError(GenerationError):
    """No such thing in this tenant; another tenant's thing gets the same answer."""

    code = "not_found"
    hint = "Check the id."


class JobStateError(GenerationError):
    """The job's state does not allow it."""

    code = "job_finished"
    hint = "Read the job again; submit a new one if needed."


class RefusedError(GenerationError):
    """The gate refused the generation; the decision is in the log."""

    code = "refused"
    hint = "Read the reasons; a new licence or another request may be admitted."

    def __init__(
        self, message: str, *, job: str, code: str, reasons: tuple[str, ...], hint: str = ""
    ) -> None:
        super().__init__(message)
        self.job = job
        self.code = code
        self.reasons = reasons
        self.hint = hint or type(self).hint


class WithdrawnError(GenerationError):
    """The output was withdrawn with its licence."""

    code = "output.withdrawn"
    hint = "Stop using the copies that were made of it."


class GateError(GenerationError):
    """The gate cannot decide, and so it does not admit."""

    code = "gate.error"
    hint = "Try again; if it stays, see the worker's log."


class PermitError(GateError):
    """A permit that does not hold; ``field`` names what differs."""

    code = "permit.refused"
    hint = "Submit the job again."
    codes: ClassVar[Mapping[str, str]] = {
        "expires": "permit.expired",
        "inputs": "input.changed",
        "licences": "licence.revoked",
        "models": "models.changed",
    }

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"Permit refused at {field}: {message}.")
        self.field = field
        self.code = self.codes.get(field, type(self).code)


class StaleFramesError(PermitError):
    """People on an output were compared with an older block list only."""

    def __init__(self) -> None:
        super().__init__("gallery", "the block list changed after people on the output were compared with it")


class ReceiptPendingError(GateError):
    """The log has not confirmed the decision yet; the job waits."""

    code = "gate.receipt_pending"
    hint = "Check that the sequencer runs."


class LeaseLostError(GenerationError):
    """This process no longer holds the job or chunk; somebody else may."""

    code = "lease.lost"
    hint = "Nothing; the work is taken up again."


class InputChangedError(GenerationError):
    """The bytes in hand are not the ones that were admitted."""

    code = "input.changed"
    hint = "Upload the file again and submit a new job."


class AlreadyOverError(GenerationError):
    """The job ended while the work was going on; the work is thrown away."""

    code = "job.over"
    hint = "Nothing; read the job's state."


class MarksMissingError(GenerationError):
    """A plan or an output lacks a mark that the law of its place or a licence asks for."""

    code = "marks.missing"
    hint = "Submit the job again; if it stays, tell the operator."


class ExportError(GenerationError):
    """A copy without the visible label may not be made or handed out."""

    code = "export.refused"
    hint = "Deliver the labelled output."


class ExportOffError(ExportError):
    """This installation makes no copies without the visible label."""

    code = "export.off"
    hint = "An operator may set LIKENESS_STATUTORY_EXPORT=on where the law of China alone applies."


class ExportInvalidError(ExportError):
    """The request lacks the recipient, the agreement, the purpose or the declaration."""

    code = "export.invalid"
    hint = "Give all four; see article 9 of the labelling measures."

    def __init__(self, message: str, *, fields: Mapping[str, list[str]]) -> None:
        super().__init__(message)
        self.fields = dict(fields)


class ExportStateError(ExportError):
    """The request is in a state that does not allow it."""

    code = "export.state"
    hint = "Read the request again."


class OutputFormatError(GenerationError):
    """An output of this kind is not made of this footage."""

    code = "output.format"
    hint = "Leave the container out, or ask for one that the message names."


class SealError(GenerationError):
    """The output cannot be sealed, and so it is not delivered."""

    code = "seal.error"
    hint = "See the job's report, then run the job again."


class PresentInvalidError(GenerationError):
    """A request for a presentation names something that is not known; ``fields``: name -> what is."""

    code = "presentation_invalid"
    hint = "Send what the schema at /api/v1/schema/ describes."

    def __init__(self, message: str, *, fields: Mapping[str, list[str]]) -> None:
        super().__init__(message)
        self.fields = dict(fields)


class ClientIdTakenError(GenerationError):
    """The client's id belongs to another request."""

    code = "client_id_taken"
    hint = "Choose a new id, or send the same request again."


class PreviewLimitError(GenerationError):
    """More previews in a minute than one person may ask for, or than this machine makes at once."""

    code = "preview.too_many"
    hint = "Wait a minute; the video itself can be asked for at any time."


class SyncOutOfBoundsError(GenerationError):
    """Mouth and sound of a finished file do not agree; ``report`` has every number."""

    code = "sync_out_of_bounds"
    hint = "See the job's report; another portrait or a slower script may do better."

    def __init__(self, message: str, *, report: Mapping[str, object]) -> None:
        super().__init__(message)
        self.report = dict(report)

    @property
    def failed(self) -> tuple[str, ...]:
        """What did not hold."""
        found = self.report.get("failed")
        return tuple(map(str, found)) if isinstance(found, list | tuple) else ()


class CallbackRefusedError(GenerationError):
    """An address that is not called, or a secret that does not belong to it."""

    code = "callback_refused"
    hint = "Use an https address of a host that the operator has listed, and the id of a hook of that host."

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.fields = {"url": [message]}


class QuotaError(GenerationError):
    """The tenant has as many presentations in flight as it may have; ``wait``: ask again so much later."""

    code = "quota.presentations"
    hint = "Wait until some have ended, or ask an operator for more."
    wait = 30  # seconds


class TemplateStateError(GenerationError):
    """A template, or a version of it, is in a state that does not allow it."""

    code = "template_state"
    hint = "A version is approved by a second person after its trial has passed; see the template."


class TemplateUnusableError(GenerationError):
    """No version of a template passes its checks."""

    code = "template_unusable"
    hint = "Tell an operator: a picture of the template is gone, or a version was altered."
