"""What a requester is told to do about a refusal; codes are stable, names and scores are never told."""

from __future__ import annotations

from collections.abc import Mapping

HINTS: Mapping[str, str] = {
    "actor.role": "Ask an operator for the requester's role.",
    "licence.missing": "Submit a licence for this identity and have it approved.",
    "licence.not_active": "Have the licence approved first.",
    "licence.not_yet": "Wait until the licence's term begins.",
    "licence.expired": "Submit a new licence.",
    "licence.revoked": "The person withdrew the licence; this likeness cannot be used under it.",
    "licence.tampered": "Tell an operator: the stored licence is not the signed one.",
    "identity.blocked": "This likeness cannot be used.",
    "scope.operation": "Ask for an operation that the licence names.",
    "scope.purpose": "Ask for a purpose that the licence names.",
    "scope.channel": "Ask for a channel that the licence names.",
    "scope.territory": "Ask for a territory that the licence names.",
    "scope.language": "Ask for a language that the licence names.",
    "scope.product": "Ask for a product that the licence does not exclude.",
    "scope.seconds": "Use a clip no longer than the licence allows.",
    "scope.outputs": "The licence's number of outputs is used up; submit a new one.",
    "source.not_licensed": "Use a portrait that the licence lists.",
    "media.too_small": "Use footage of at least 240 lines; 720 are better.",
    "media.empty": "Use footage with at least one picture.",
    "performer.no_release": "Enrol the performer and have a performance release approved.",
    "face.blocked": "This footage cannot be used.",
    "face.review": "Use footage where the performer is seen from the front, well lit.",
    "target.no_face": "Use footage with one clear face, at least 5 % of the picture wide.",
    "target.ambiguous": "Use footage with one person.",
    "coverage.incomplete": "Use footage whose faces can all be seen clearly.",
    "input.changed": "Upload the footage again and submit a new job.",
    "permit.expired": "Submit the job again.",
    "models.changed": "Submit the job again.",
    "text.promise": "Take out the promise: financial advertising must not make it.",
    "text.fraud": "Take out the words: this is how fraudsters speak in a bank's name.",
    "text.insult": "Take out the insult.",
    "text.licence": "Take out what the licence itself rules out.",
    "text.rate": "Take out the promised rate of return.",
    "text.phone": "Take out the mobile number; the bank's own lines may be named.",
    "text.card": "Take out the card number; its last four digits may be named.",
    "text.link": "Take out the address or the call to scan a code.",
    "text.account": "Take out the chat account.",
    "text.review": "Say it in other words: a person would have to decide about these.",
    "voice.no_licence": "Have the voice's owner license it, or choose another voice.",
    "gate.missing_fact": "Submit the job again; if it stays, see the worker's log.",
    "gate.error": "Submit the job again; if it stays, see the worker's log.",
}


def hint(code: str) -> str:
    """What to do next about a reason; empty when there is nothing to add."""
    return HINTS.get(code, "")
