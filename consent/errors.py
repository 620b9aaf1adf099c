"""What can go wrong with a consent.

ConsentError
├── RoleError                     the actor does not have the role, or may not decide on this one
├── NotFoundError                 no such row for this tenant
├── StateError                    the row is in a state that does not allow the change
├── ConcurrentError               the database's own guard refused the change
├── LicenceError
│   ├── LicenceInvalidError       the document breaks the schema; ``fields`` has JSON path -> messages
│   └── LicenceTamperedError      the stored bytes are not the signed ones
├── RequestInvalidError           an argument is missing or out of range; ``fields`` as above
├── PortraitRefusedError          the enrolment gate's reasons and numbers, with the preview
├── SourceNotLicensedError        the picture is not material of a licence in force
├── EmbedderError                 the face embedder gave no usable answer
├── GalleryError                  the block list cannot be compared as a whole
└── VaultError
    ├── CiphertextError           stored bytes do not decrypt: cut, swapped, moved or edited
    ├── ShreddedError             the data key was destroyed on purpose
    └── KeyUnavailableError       the key provider gives no key
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong at one place; ``path`` is a JSON path such as ``$.term.not_after``."""

    path: str
    code: str
    message: str


class ConsentError(Exception):
    """Root of the package's errors; ``code`` is stable, ``hint`` says what to do next."""

    code = "consent.error"
    hint = "See the message; nothing was changed."


class RoleError(ConsentError):
    """The actor may not do this."""

    code = "consent.role"
    hint = "Ask a person who has the role; nobody decides on what they submitted or enrolled."


class NotFoundError(ConsentError):
    """The tenant has no such row; another tenant's row reads the same."""

    code = "not_found"
    hint = "Check the id."

    def __init__(self) -> None:
        super().__init__("Not found.")


class StateError(ConsentError):
    """The row's state does not allow the change."""

    code = "consent.state"
    hint = "Load the row again and look at its state."


class ConcurrentError(StateError):
    """The database refused the change: somebody else was faster, or a guard was hit."""

    code = "consent.guard"
    hint = "Load the row again; each person and each role decides once on one document."


class LicenceError(ConsentError):
    """A licence document cannot be used."""

    code = "licence.error"
    hint = "Submit a new licence."


class _FaultyError(ConsentError):
    """An error that names each faulty field."""

    def __init__(self, what: str, faults: Sequence[Fault]) -> None:
        first = faults[0]
        super().__init__(f"{what}: {first.path}: {first.message}")
        self.faults = tuple(faults)
        self.fields = fields_of(faults)


class LicenceInvalidError(_FaultyError, LicenceError):
    """The document breaks the closed-world schema; nothing was stored."""

    code = "licence.invalid"
    hint = "Correct the named fields; a field that the schema does not list is refused."

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("The licence is not valid", faults)
        if any(fault.code == "consent_missing" for fault in faults):
            self.code = "consent_missing"
            self.hint = "Record each separate consent that the operations need, given by the subject."


class LicenceTamperedError(LicenceError):
    """The stored document, hash, signature or row disagree."""

    code = "licence.tampered"
    hint = "Stop using the licence and compare the row with the log: `likeness audit check`."


class RequestInvalidError(_FaultyError):
    """An argument is missing, empty or out of range; nothing was stored."""

    code = "request.invalid"
    hint = "Correct the named fields."

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("The request is not valid", faults)


class PortraitRefusedError(ConsentError):
    """A portrait failed the enrolment gate; nothing was kept.

    ``failures``: faults with path ``$.portraits[i]``; ``preview_png``: the picture and what was found in it.
    """

    code = "portrait.refused"
    hint = "Send a sharp, evenly lit, frontal portrait of one person."

    def __init__(self, failures: Sequence[Fault], *, preview_png: bytes = b"") -> None:
        super().__init__("; ".join(f"{fault.path}: {fault.message}" for fault in failures))
        self.failures = tuple(failures)
        self.fields = fields_of(failures)
        self.preview_png = preview_png


class SourceNotLicensedError(ConsentError):
    """The picture is not exactly one that a licence in force lists."""

    code = "source.not_licensed"
    hint = "Use a portrait that the active licence names, or submit a licence for it."


class EmbedderError(ConsentError):
    """The face embedder gave no usable answer."""

    code = "embedder.error"
    hint = "Check the weights: `likeness weights check`."


class GalleryError(ConsentError):
    """The block list holds templates of more than one model, so no comparison covers it."""

    code = "gallery.mixed"
    hint = "Block the named entries again with the loaded model, then unblock the old ones."


class VaultError(ConsentError):
    """Protected material cannot be read or written."""

    code = "vault.error"
    hint = "Check the keyring and the blob store."


class CiphertextError(VaultError):
    """Stored bytes do not decrypt: cut, swapped, moved to another row, or edited."""

    code = "vault.ciphertext"
    hint = "Restore the blob from a backup; do not use the material."


class ShreddedError(VaultError):
    """The data key was destroyed, so the material cannot be read again."""

    code = "vault.shredded"
    hint = "Enrol the person again under a new licence."


class KeyUnavailableError(VaultError):
    """The key provider gives no key; there is no fallback key."""

    code = "vault.unavailable"
    hint = "Bring the key provider back, then try again."


def fields_of(faults: Sequence[Fault]) -> Mapping[str, list[str]]:
    """Messages by JSON path, for the ``fields`` of an API answer."""
    fields: dict[str, list[str]] = {}
    for fault in faults:
        fields.setdefault(fault.path, []).append(fault.message)
    return fields
