"""What services refuse, told in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from likeness.portal.wording.reasons import REASONS, Reason
from likeness.portal.wording.studio import missed_words

EXPLAINED: dict[str, tuple[Any, Any]] = {
    "consent.role": (
        _("You may not decide on this licence."),
        _("Four eyes: nobody approves what they submitted or enrolled, and each seat needs another person."),
    ),
    "consent.state": (
        _("The licence has moved on in the meantime."),
        _("Look at its state below; it may already be decided."),
    ),
    "consent.guard": (
        _("The database refused this decision: the four-eyes rule was broken, or somebody was faster."),
        _("Each person and each role decides once on the same document."),
    ),
    "licence.invalid": (
        _("The licence is not complete or contradicts itself; nothing was stored."),
        _("Correct the marked fields."),
    ),
    "consent_missing": (
        _("A separate consent that this licence needs was not given."),
        _("Record each separate consent of the subject."),
    ),
    "identity.invalid": (
        _("The identity cannot be enrolled like this; nothing was stored."),
        _("Correct the fields."),
    ),
    "portrait.refused": (
        _("The portrait cannot be used; nothing of it was kept."),
        _("Send a sharp, evenly lit, frontal portrait of one person."),
    ),
    "vault.shredded": (
        _("The key of this material was destroyed."),
        _("The person would have to be enrolled again."),
    ),
    "vault.unavailable": (_("The key store does not answer."), _("Tell the operator, then try again.")),
    "role.missing": (_("Your role does not include this."), _("Ask an operator for the role.")),
    "job_finished": (_("The job is already over."), _("Look at its state below.")),
    "script_empty": (_("There is nothing to say."), _("Write at least one word that can be spoken.")),
    "script_too_long": (
        _("The script is longer than one video: at most 20,000 characters."),
        _("Split it into several videos."),
    ),
    "script_ambiguous": (
        _("An amount, a date or a time here cannot be read with certainty."),
        _("Write it out, or say how to read it with <say-as> or <sub>."),
    ),
    "script_character": (
        _("A character here cannot be spoken: it is invisible, unknown or steers the text."),
        _("Remove it, or write in words what is meant."),
    ),
    "script_invalid": (_("The script cannot be spoken as it stands."), _("Change the place that is marked.")),
    "ssml_invalid": (
        _("The markup is not understood."),
        _("Use speak, p, s, break, prosody, mark, bookmark, say-as, sub, phoneme, lang and voice."),
    ),
    "voice_missing": (_("This voice does not speak the language."), _("Choose another voice or language.")),
    "tts_unavailable": (_("No speech engine is installed."), _("Tell the operator.")),
    "tts_failed": (
        _("The script was not spoken: the speech engine failed."),
        _("Try again, then tell the operator."),
    ),
    "voices_invalid": (_("The table of this site's voices is at fault."), _("Tell the operator.")),
    "recording_refused": (
        _("The recording cannot be used, or does not say the script."),
        _("Record the script as it is written, in a quiet room."),
    ),
    "plate_rejected": (
        _("The performer's portrait cannot be driven."),
        _("Use a frontal, sharp portrait with the lips closed or a slight smile."),
    ),
    "idle_rejected": (
        _("The performer's clip cannot be used as an idle loop."),
        _("Film 10 to 20 seconds of one person who looks into the camera with the lips closed."),
    ),
    "driving_engine_failed": (
        _("The configured engine did not make the mouth move."),
        _("Try again, then tell the operator."),
    ),
    "driving_unavailable": (
        _("The engine that was asked for is not set up here."),
        _("Choose the built-in one, or tell the operator."),
    ),
    "driving_mismatch": (
        _("The configured engine gave a video of another length, size or rate."),
        _("Tell the operator."),
    ),
    "scene_invalid": (
        _("The person or a subtitle does not fit the picture."),
        _("Choose another format, or write shorter sentences."),
    ),
    "driving_failed": (
        _("The driving video could not be written."),
        _("Tell the operator; the disk may be full."),
    ),
    "performance_unreadable": (
        _("The stored speech and motion of this video are damaged, or of another version."),
        _("Submit the script again."),
    ),
    "splice_failed": (
        _("Pictures of the earlier video could not be taken over."),
        _("Use the script again as a new video, without changing the earlier one."),
    ),
    "scenes_invalid": (
        _("The scenes of this script cannot be used as they stand."),
        _("Correct the named fields; the first scene is number 0."),
    ),
    "internal": (
        _("Something failed in the worker."),
        _("Try again; if it stays, tell the operator the time."),
    ),
    "output.format": (
        _("An output of this kind is not made of this footage."),
        _("Leave the kind of the file out, or choose another."),
    ),
    "job.over": (_("The job had ended before this step was done."), _("Look at its state.")),
    "lease.lost": (_("Another worker has taken over the work."), _("Wait; nothing is lost.")),
    "guard.abort": (
        _("The gate stopped the work at a face in the footage."),
        _("Read the reasons; use footage of released performers only."),
    ),
    "media.encode": (
        _("The output could not be written."),
        _("Tell the operator; the disk may be full."),
    ),
    "media.error": (_("The file cannot be used."), _("Check that it plays, then send it again.")),
    "face.model_output": (
        _("A model gave numbers that make no sense."),
        _("Tell the operator to check the models."),
    ),
    "weights.missing": (_("The models are not installed."), _("Tell the operator.")),
    "weights.altered": (
        _("A model on this machine is not the one that was checked."),
        _("Tell the operator; nothing is made with it."),
    ),
    "blob.missing": (
        _("A stored file is gone."),
        _("Tell the operator: it was deleted, or a backup was not whole."),
    ),
    "blob.write": (_("The file could not be stored."), _("Tell the operator; the disk may be full.")),
    "watermark.read_back": (
        _("A mark could not be read back from the finished file, so nothing was delivered."),
        _("Submit it again; if it stays, tell the operator the code."),
    ),
    "watermark.sound_lost": (
        _("The sound's mark could not be found in the finished file, so nothing was delivered."),
        _("Submit it again; if it stays, tell the operator the code."),
    ),
    "sync_unmeasured": (
        _("Mouth and sound of the finished file could not be measured, so it does not go out."),
        _("Use another portrait of the performer."),
    ),
    "sync_out_of_bounds": (
        _("Mouth and sound of the finished file do not agree, so it does not go out."),
        _("Try another portrait of the performer, or a slower script."),
    ),
    "presentation_invalid": (
        _("Something in the form is not known."),
        _("Load the page again and choose anew."),
    ),
    "quota.presentations": (
        _("Your organisation has as many videos in the making as it may have at once."),
        _("Wait until some have ended, or ask an operator for more."),
    ),
    "callback_refused": (
        _("This address is not told of anything."),
        _("Use an https address of a host that the operator has listed, and the id of its hook."),
    ),
    "cast.missing": (
        _("There is no such teller or performer."),
        _("Name a person by id, or by a name that only one person has."),
    ),
    "template_invalid": (
        _("The template, or the values for it, cannot be used."),
        _("Correct the named fields; each variable is given once."),
    ),
    "template_state": (
        _("The template does not allow this now."),
        _("A version is approved by a second person after its trial has passed."),
    ),
    "template_unusable": (
        _("No version of this template passes its checks."),
        _("Tell the operator: a picture of it is gone, or a version was altered."),
    ),
    "client_id_taken": (
        _("This id belongs to another script already."),
        _("Choose a new id, or send the same script again."),
    ),
    "preview.too_many": (
        _("Too many previews in a minute."),
        _("Wait a minute; the video itself can be asked for at any time."),
    ),
    "check.too_many": (
        _("Too many files are being checked just now."),
        _("Wait a minute, then try again."),
    ),
    "request.too_large": (_("This file is too large to be checked here."), _("Send a shorter part of it.")),
    "watermark.unreadable": (
        _("Neither a picture nor sound can be read from this file."),
        _("Send a file that a player can open."),
    ),
    "audit.receipt_timeout": (
        _("The log has not taken up the entry yet."),
        _("Tell the operator, then look again."),
    ),
    "audit.no_checkpoint": (
        _("The log has no signed checkpoint yet."),
        _("The operator must start the sequencer."),
    ),
}
"""Sentence and hint by stable code; a code that is not here keeps the service's own words."""


@dataclass(frozen=True, slots=True)
class Words:
    """An error in words: what happened, what to do, and the code for support."""

    sentence: str
    hint: str
    code: str


def explain(error: Exception) -> Words:
    """Say what a service refused; the reader's language where there is a translation."""
    code = str(getattr(error, "code", "error"))
    return told(code, sentence=str(error), hint=str(getattr(error, "hint", "")))


def reason_of(code: str, *, sentence: str = "", hint: str = "") -> Reason:
    """Why something ended, whoever gave the code: the gate, a licence, or a step of the work."""
    words = told(
        code, sentence=sentence or str(_("It ended for a reason that this page does not know.")), hint=hint
    )
    missed = missed_words(sentence) if code == "sync_out_of_bounds" else ""
    return Reason(words.code, f"{words.sentence} {missed}".strip(), words.hint)


def told(code: str, *, sentence: str = "", hint: str = "") -> Words:
    """The same by the code alone, for a refusal that was kept; what it said stands in for an unknown code."""
    known = EXPLAINED.get(code) or REASONS.get(code)
    said, then = known or (sentence, hint)
    return Words(str(said), str(then), code)
