"""``likeness enrol | submit | approve | reject | revoke | erase | block``: whose face, what was agreed."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.cli.arguments import Verbs, add_account, add_verb
from likeness.cli.output import Printer, Result
from likeness.cli.session import actor, open_platform

if TYPE_CHECKING:
    from consent.terms import LicenceTerms

DEFAULT_TERM = timedelta(days=365)


def register(verbs: Verbs) -> None:
    """Add the verbs."""
    enrolling = add_verb(
        verbs, "enrol", "Enrol a person with portraits; with --purpose also submit a licence.", enrol
    )
    enrolling.add_argument("name", help="the person's name, in exact glyphs")
    enrolling.add_argument("portraits", nargs="+", type=Path, metavar="PORTRAIT")
    enrolling.add_argument("--kind", choices=("likeness", "performer"), default="likeness")
    enrolling.add_argument("--status", choices=("living", "deceased", "historic"), default="living")
    _add_terms(enrolling, required=False)
    submitting = add_verb(verbs, "submit", "Submit the licence that an enrolled person signed.", submit)
    submitting.add_argument("identity")
    _add_terms(submitting, required=True)
    approving = add_verb(verbs, "approve", "Approve a licence in one role.", approve)
    approving.add_argument("consent")
    approving.add_argument("--role", choices=("legal", "business", "expert"), required=True)
    add_account(approving)
    for name, text in (
        ("reject", "Reject a licence under review."),
        ("revoke", "Withdraw a licence at once."),
    ):
        ending = add_verb(verbs, name, text, reject if name == "reject" else revoke)
        ending.add_argument("consent")
        ending.add_argument("--reason", required=True)
        add_account(ending)
    erasing = add_verb(verbs, "erase", "Erase a person: pictures, keys, documents, names, outputs.", erase)
    erasing.add_argument("identity")
    erasing.add_argument("--for-good", action="store_true", required=True, help="nothing brings it back")
    add_account(erasing)
    blocking = add_verb(verbs, "block", "Put the face of a photo on the blocklist.", block)
    blocking.add_argument("photo", type=Path)
    blocking.add_argument("--reason", required=True)
    add_account(blocking)


def enrol(args: argparse.Namespace, printer: Printer) -> Result:
    """Enrol; submit the licence too when terms are given."""
    open_platform()
    from consent import services

    by = actor(args, "operator", "requester")
    printer.progress(f"checking {len(args.portraits)} portrait(s)")
    pictures = [path.read_bytes() for path in args.portraits]
    identity = services.enrol(name=args.name, status=args.status, kind=args.kind, portraits=pictures, by=by)
    document = {"identity": identity.id, "kind": identity.kind, "portraits": len(pictures)}
    lines = [f"Enrolled {identity.id} ({len(pictures)} portrait(s))."]
    if not args.purpose:
        return Result(document, [*lines, f"Next: likeness submit {identity.id} --purpose … --channel …"])
    consent = services.submit(identity.id, terms=_terms(args, name=args.name, kind=args.kind), by=by)
    return Result({**document, **_row(consent)}, [*lines, *_next(consent)])


def submit(args: argparse.Namespace, _printer: Printer) -> Result:
    """Submit a licence for review."""
    open_platform()
    from consent import selectors, services

    by = actor(args, "operator", "requester")
    identity = selectors.identity(args.identity, tenant=by.tenant)
    consent = services.submit(identity.id, terms=_terms(args, name=identity.name, kind=identity.kind), by=by)
    return Result(_row(consent), _next(consent))


def approve(args: argparse.Namespace, _printer: Printer) -> Result:
    """Approve in one role; the last approval that is needed makes the licence active."""
    open_platform()
    from consent import services

    consent = services.approve(args.consent, role=args.role, by=actor(args, args.role))
    return Result(_row(consent), [f"Approved as {args.role}; licence {consent.id} is {consent.state}."])


def reject(args: argparse.Namespace, _printer: Printer) -> Result:
    """Reject with a reason."""
    open_platform()
    from consent import services

    consent = services.reject(args.consent, reason=args.reason, by=actor(args, "legal", "business"))
    return Result(_row(consent), [f"Licence {consent.id} is {consent.state}."])


def revoke(args: argparse.Namespace, _printer: Printer) -> Result:
    """Withdraw a licence: new work stops, queued work is cancelled, outputs are withdrawn."""
    open_platform()
    from consent import services

    consent = services.revoke(
        args.consent, reason=args.reason, by=actor(args, "legal", "business", "operator")
    )
    return Result(_row(consent), [f"Licence {consent.id} is {consent.state}; its outputs are withdrawn."])


def erase(args: argparse.Namespace, _printer: Printer) -> Result:
    """Erase a person; the log keeps its proofs, which name nobody."""
    open_platform()
    from dataclasses import asdict

    from consent import erasure

    done = asdict(erasure.erase(args.identity, by=actor(args, "legal")))
    told = ", ".join(f"{count} {what}" for what, count in done.items())
    return Result({"identity": args.identity, **done}, [f"{args.identity} is erased: {told}."])


def block(args: argparse.Namespace, _printer: Printer) -> Result:
    """Block a face from now on; running jobs see it too."""
    open_platform()
    from consent import services

    entry = services.block(
        image=args.photo.read_bytes(),
        identity_id=None,
        reason=args.reason,
        by=actor(args, "legal", "operator"),
    )
    return Result({"entry": str(entry.id)}, [f"Blocked as {entry.id}; it counts from the next decision on."])


def _add_terms(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--purpose", action="append", default=[], required=required, help="may be repeated")
    parser.add_argument("--channel", action="append", default=[], required=required, help="may be repeated")
    parser.add_argument("--territory", action="append", default=[], help="default CN")
    parser.add_argument("--language", action="append", default=[], help="default zh and en")
    parser.add_argument(
        "--until", type=_day, metavar="YYYY-MM-DD", help="last day of the term; default one year"
    )
    parser.add_argument("--intended-use", default="", help="what it is for, in words")
    parser.add_argument(
        "--agreement", type=Path, help="the text that the person signed; its hash is recorded"
    )
    parser.add_argument(
        "--consents", type=Path, metavar="DIR", help="the separate consents as CODE.txt files"
    )
    parser.add_argument("--label", default="AI生成", help="words on the visible label, beside the law's")
    parser.add_argument("--label-whole-clip", action="store_true", help="the label stays on every frame")
    parser.add_argument(
        "--unlabelled-export", action="store_true", help="the licence allows statutory copies without a label"
    )
    parser.add_argument(
        "--sample", action="store_true", help="a sample that nobody signed in earnest; it says so"
    )
    add_account(parser)


def _terms(args: argparse.Namespace, *, name: str, kind: str) -> LicenceTerms:
    from consent.terms import LicenceTerms, SeparateConsent
    from likeness.demo.samples import FACE_CONSENTS, sample_text

    now = datetime.now(UTC)
    if args.sample:
        texts = {code: sample_text(code).encode() for code in ("agreement", *FACE_CONSENTS)}
    else:
        texts = _signed_texts(args, FACE_CONSENTS)
    return LicenceTerms(
        operations=("face_swap",) if kind == "likeness" else ("performance",),
        purposes=args.purpose,
        channels=args.channel,
        territories=args.territory or ("CN",),
        languages=args.language or ("zh", "en"),
        not_before=now - timedelta(minutes=1),
        not_after=args.until or now + DEFAULT_TERM,
        separate_consents=[
            SeparateConsent(code=code, text_sha256=_sha256(texts[code]), lang="en", at=now)
            for code in FACE_CONSENTS
        ],
        signed_by=name,
        signed_at=now,
        text_sha256=_sha256(texts["agreement"]),
        intended_use=args.intended_use
        or f"Videos for {', '.join(args.purpose)} on {', '.join(args.channel)}.",
        visible_label=args.label,
        label_whole_clip=args.label_whole_clip,
        unlabelled_export=args.unlabelled_export,
        sample=args.sample,
    )


def _signed_texts(args: argparse.Namespace, codes: Sequence[str]) -> dict[str, bytes]:
    """The bytes of what was signed: the agreement, and each separate consent in its own file."""
    if not args.agreement or not args.consents:
        raise SignedTextMissingError(
            "A licence needs --agreement FILE and --consents DIR with the signed texts."
        )
    files = {"agreement": args.agreement} | {code: args.consents / f"{code}.txt" for code in codes}
    missing = [str(path) for path in files.values() if not path.is_file()]
    if missing:
        raise SignedTextMissingError(f"Not there: {', '.join(missing)}.")
    return {code: path.read_bytes() for code, path in files.items()}


class SignedTextMissingError(Exception):
    """The texts that the person signed were not given."""

    code = "consent.text_missing"
    hint = "Give the signed texts, or --sample for a licence that says it is a sample."


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(hour=23, minute=59, second=59, tzinfo=UTC)


def _row(consent: Any) -> dict[str, object]:
    return {"consent": consent.id, "identity": consent.identity_id, "state": consent.standing}


def _next(consent: Any) -> Sequence[str]:
    return [
        f"Submitted {consent.id} for review.",
        f"Next: likeness approve {consent.id} --role legal --as … and --role business --as …",
    ]
