"""Why something was refused: a sentence and what to do, by stable code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason as people read it."""

    code: str
    sentence: str
    hint: str


_ASK_LICENCE = _("Submit a licence that covers it, or change the request.")
_OTHER_FOOTAGE = _("Use other footage.")
_TRY_AGAIN = _("Submit the job again; if it stays, tell the operator the code.")
_RELEASE = _("Enrol the person as a performer and have the release approved, or use other footage.")

REASONS: dict[str, tuple[Any, Any]] = {
    "licence.missing": (
        _("There is no licence for this person."),
        _("Submit a licence and have it approved."),
    ),
    "licence.not_active": (_("The licence is not in force."), _("Wait for the missing approvals.")),
    "licence.not_yet": (
        _("The licence's term has not begun."),
        _("Wait for its first day, or submit another."),
    ),
    "licence.expired": (_("The licence's term is over."), _("Submit a new licence.")),
    "licence.revoked": (_("The licence was revoked."), _("Stop using this likeness.")),
    "licence.tampered": (
        _("The stored licence is not the one that was signed."),
        _("Stop using it and tell an auditor at once."),
    ),
    "licence.clock": (_("The clock of the server cannot be relied on."), _("Tell the operator.")),
    "scope.operation": (_("The licence does not allow this kind of editing."), _ASK_LICENCE),
    "scope.purpose": (_("The licence does not allow this purpose."), _ASK_LICENCE),
    "scope.channel": (_("The licence does not allow this channel."), _ASK_LICENCE),
    "scope.territory": (_("The licence does not allow this territory."), _ASK_LICENCE),
    "scope.language": (_("The licence does not allow this language."), _ASK_LICENCE),
    "scope.product": (_("The licence excludes this product."), _ASK_LICENCE),
    "scope.seconds": (_("The footage is longer than the licence allows."), _("Cut the footage.")),
    "scope.outputs": (_("The licence's number of outputs is used up."), _("Submit a new licence.")),
    "scope.live": (_("The licence does not allow live streams."), _ASK_LICENCE),
    "source.not_licensed": (
        _("The portrait is not one that the licence names."),
        _("Use a portrait that the licence in force lists."),
    ),
    "identity.blocked": (_("This person is on the blocklist."), _("Do not use this likeness.")),
    "actor.role": (_("Only a requester may ask for a generation."), _("Ask an operator for the role.")),
    "media.empty": (_("The footage has no frames."), _("Check that the file plays, then upload it again.")),
    "media.too_small": (
        _("The footage is too small to carry the marks."),
        _("Use footage with at least 240 lines."),
    ),
    "media.too_large": (_("The file is over a limit."), _("Cut or scale it, then upload it again.")),
    "media.unreadable": (_("The file cannot be read."), _("Check that it plays, then upload it again.")),
    "media.unsupported": (_("This kind of media is not supported."), _("Use an MP4 file in SDR.")),
    "media_refused": (_("The file cannot be used; nothing of it was kept."), _("Check that it plays.")),
    "watermark.unreadable": (
        _("The file is neither a picture nor a video that can be read."),
        _("Check that it plays."),
    ),
    "job.cancelled": (_("The job was cancelled."), _("Submit a new one if it is still needed.")),
    "input.changed": (_("The stored file is not the one that was uploaded."), _("Upload it again.")),
    "models.missing": (_("The models are not installed."), _("Tell the operator.")),
    "models.changed": (
        _("The models changed after the job was admitted."),
        _("Submit the job again."),
    ),
    "embedding.mismatch": (
        _("Faces were enrolled with another model than the one that is loaded."),
        _("Ask the operator to make the templates again."),
    ),
    "calibration.invalid": (_("The thresholds of the face model make no sense."), _("Tell the operator.")),
    "face.blocked": (_("A face in the footage is on the blocklist."), _OTHER_FOOTAGE),
    "face.review": (
        _("A face in the footage may or may not be the released performer."),
        _("Enrol more portraits of the performer, or use clearer footage."),
    ),
    "face.ambiguous": (_("Several faces could be meant."), _("Use footage of one person.")),
    "face.none": (_("No face was found."), _("Use a picture in which one face is clearly seen.")),
    "coverage.incomplete": (
        _("Some faces of the footage could not be compared."),
        _("Use sharper footage with larger faces."),
    ),
    "target.no_face": (_("There is no face in the footage."), _("Use footage of a performer.")),
    "target.ambiguous": (_("There is more than one person in the footage."), _("Use footage of one person.")),
    "performer.no_release": (_("The performer has not released their performance for this."), _RELEASE),
    "voice.no_licence": (
        _("No licence allows this voice."),
        _("Choose a sample voice, or submit a licence for the voice."),
    ),
    "text.promise": (
        _("This promises a return or a safety that nobody may promise."),
        _("Leave it out, or say what the product really offers, with its risk."),
    ),
    "text.fraud": (
        _("This is what fraudsters say, so a teller must not."),
        _("Leave it out. To warn of it, say what customers should do instead."),
    ),
    "text.insult": (_("This insults somebody."), _("Leave it out.")),
    "text.licence": (_("The person's licence rules this out."), _("Leave it out, or change the licence.")),
    "text.rate": (
        _("A rate of return is named as if it were certain."),
        _("Leave the number out, or have it approved as a product text elsewhere."),
    ),
    "text.phone": (
        _("This is the number of a private phone."),
        _("Name the bank's own hotline instead."),
    ),
    "text.card": (
        _("This looks like the number of a card or an account."),
        _("Say only its last four digits."),
    ),
    "text.link": (
        _("This leads out of the video: an address or a code to scan."),
        _("Name the bank's own app or branch instead."),
    ),
    "text.account": (
        _("This names an account of a messenger."),
        _("Name the bank's own hotline or app instead."),
    ),
    "text.review": (
        _("Words here need a person's judgement, so the script is held."),
        _("Say it in other words."),
    ),
    "gate.missing_fact": (_("The gate could not learn everything it needs to know."), _TRY_AGAIN),
    "gate.error": (_("The gate could not decide, and so it refused."), _TRY_AGAIN),
    "gate.no_rules": (_("The gate has no rules, and so it refused."), _("Tell the operator.")),
    "gate.stale": (_("The facts were too old to decide on."), _TRY_AGAIN),
    "gate.receipt_pending": (_("The log has not confirmed the decision."), _("Tell the operator.")),
    "permit.refused": (_("The permit did not hold when the work began."), _TRY_AGAIN),
    "attempts_exhausted": (_("The work failed three times."), _("Tell the operator the job's number.")),
    "watermark.mark_unreadable": (
        _("The invisible watermark could not be read back, so nothing was delivered."),
        _("Use footage of at least 360 lines with some texture."),
    ),
    "watermark.visible_label_lost": (
        _("The visible label was not found on the finished frames."),
        _TRY_AGAIN,
    ),
    "seal.error": (_("The output could not be sealed."), _TRY_AGAIN),
    "watermark.label_lost": (_("The output could not be sealed."), _TRY_AGAIN),
    "watermark.credential": (_("The output could not be sealed."), _TRY_AGAIN),
    "watermark.credential_invalid": (_("The output could not be sealed."), _TRY_AGAIN),
    "marks.missing": (_("The output would have lacked a mark that the law asks for."), _TRY_AGAIN),
    "watermark.label_placement": (
        _("Faces leave no place for the visible label."),
        _("Use footage that leaves a corner free."),
    ),
    "watermark.label_text": (
        _("The label's words are not allowed: they deny it, or cannot be drawn."),
        _("Submit a licence with other words on its label."),
    ),
    "watermark.label_size": (
        _("The visible label does not fit the picture."),
        _("Use larger footage, or fewer words on the licence's label."),
    ),
    "export.off": (
        _("This installation makes no copies without the visible label."),
        _("Tell the operator."),
    ),
    "export.refused": (
        _("The law of the place or the licence does not allow a copy without the visible label."),
        _("Deliver the labelled output."),
    ),
    "export.state": (
        _("The request for this copy is not open or not approved."),
        _("Look at the list of copies."),
    ),
    "export.invalid": (_("The request is not complete."), _("Correct the fields.")),
    "output.withdrawn": (
        _("The output was withdrawn together with its licence."),
        _("Stop using every copy of it."),
    ),
    "coverage.low": (
        _("The face is partly hidden in more than a tenth of the frames."),
        _("Look at the result before you use it; use footage in which the whole face is seen."),
    ),
    "pose.profile": (
        _("The head is turned away in more than a tenth of the frames."),
        _("Look at the result before you use it; use footage seen from the front."),
    ),
    "similarity.low": (
        _("The result resembles the licensed person less than usual."),
        _("Look at the result before you use it; enrol portraits in better light."),
    ),
    "refused": (_("The gate refused."), _("Read the reasons.")),
}
"""Sentence and hint; a code that is not here is shown with the words of the service."""


def reason(code: str, *, sentence: str = "", hint: str = "") -> Reason:
    """A reason by its code; the service's own words stand in for a code without an entry."""
    known = REASONS.get(code)
    if known:
        return Reason(code, str(known[0]), str(known[1]))
    return Reason(code, sentence or str(_("Refused without a reason that this page knows.")), hint)
