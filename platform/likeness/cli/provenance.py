"""``likeness trace | find | evidence | verify``: origins of files, what the log holds, what it proves."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from audit import verify as verifier
from likeness.cli.arguments import Verbs, add_account, add_verb
from likeness.cli.output import Exit, Printer, Result
from likeness.cli.session import actor, open_platform, working
from likeness.errors import RequestInvalidError
from watermark.errors import UnreadableError

if TYPE_CHECKING:
    from likeness.provenance_layers import Layer
    from likeness.provenance_search import Results

WORDS = {
    "ours": "This file was generated here.",
    "ours-altered": "This file was generated here, and altered since.",
    "conflict": "The marks contradict each other or the record: treat the file as tampered with.",
    "absent": "No mark of ours was found. That does not prove that the file is genuine.",
    "undecided": "Undecided: something could not be read, or not everything could be tried.",
}


FINDS = {
    "person": "name, identity or pseudonym of whose likeness it is",
    "operator": "name, address or pseudonym of who did it",
    "consent": "id of a licence",
    "job": "id of a job",
    "licence": "SHA-256 of a licence's document",
    "model": "SHA-256 of a model",
    "mark": "number of an invisible mark",
    "manifest": "SHA-256 of a C2PA manifest",
    "output": "SHA-256 of a delivered file",
    "script": "words of a script, or their SHA-256",
    "event": "type of entry, such as consent.approved",
    "since": "first day, or moment with its zone",
    "until": "last day, or moment with its zone",
    "limit": "hits of a page, 1 to 200",
    "before": "go on below this entry",
}


def register(verbs: Verbs) -> None:
    """Add the verbs."""
    tracing = add_verb(verbs, "trace", "Find the job, consent and proof behind a file.", trace)
    tracing.add_argument("file", type=Path, help="a picture, a clip or a recording")
    tracing.add_argument("--budget", type=float, metavar="SECONDS", help="for each search (15)")
    tracing.add_argument("--overlay", type=Path, metavar="PNG", help="draw where the mark was found")
    add_account(tracing)
    finding = add_verb(verbs, "find", "Search the log: people, jobs, licences, models, files.", find)
    for name, text in FINDS.items():
        finding.add_argument(f"--{name}", default="", metavar=name.upper(), help=text)
    finding.add_argument("--photo", type=Path, help="a picture of one face")
    finding.add_argument("--file", type=Path, help="a picture or a clip whose origin is asked for; alone")
    finding.add_argument("--csv", type=Path, metavar="FILE", help="write all hits as a table")
    add_account(finding)
    taking = add_verb(verbs, "evidence", "Write the evidence for a job, with proofs and a report.", evidence)
    taking.add_argument("job")
    taking.add_argument("out", type=Path, help="the zip to write")
    taking.add_argument("--pinned", type=Path, help="a checkpoint of this log that the receiver kept")
    add_account(taking)
    verifying = add_verb(verbs, "verify", "Check an evidence bundle, offline.", verify)
    verifying.add_argument("bundle", type=Path)
    trust = verifying.add_mutually_exclusive_group()
    trust.add_argument("--vkey", type=Path, help="the log's public key, from somebody else than the sender")
    trust.add_argument("--policy", type=Path, help="a tlog-policy file: which log, and which witnesses")
    verifying.add_argument("--pinned", type=Path, help="a checkpoint of this log that you kept earlier")
    verifying.add_argument("--tsa-roots", type=Path, help="PEM with the root of the timestamp authority")
    verifying.add_argument("--media", type=Path, help="a directory of files to compare with the log")


def trace(args: argparse.Namespace, printer: Printer) -> Result:
    """Read every mark; ask records and log; the question is logged. Exit 2 for what cannot be read."""
    open_platform()
    from likeness import provenance, provenance_overlay

    by = actor(args, "auditor", "legal", "operator")
    printer.progress(f"reading the marks of {args.file.name}")
    try:
        found = provenance.trace(args.file, by=by, budget_s=args.budget)
    except UnreadableError as error:
        document = {"code": error.code, "message": str(error), "hint": error.hint}
        return Result(document, [f"{error}  [{error.code}]", error.hint], Exit.USAGE)
    drawn = provenance_overlay.draw(args.file, found, tenant=by.tenant) if args.overlay else None
    if drawn:
        args.overlay.write_bytes(drawn)
    lines = [WORDS[found.verdict], *([found.reason] if found.reason else [])]
    if found.job:
        lines += [
            f"job      {found.job}  ({found.state}, {found.generated})",
            f"consent  {found.consent}  approved by {', '.join(found.approvals) or 'nobody'}",
            f"log      entry {found.leaf}: {found.proof}",
        ]
    lines += [layer_line(layer) for layer in found.layers]
    if args.overlay:
        lines.append(f"drawn in {args.overlay}" if drawn else "nothing to draw: no invisible mark was read")
    return Result({**found.as_json(), "overlay": str(args.overlay) if drawn else None}, lines)


def layer_line(layer: Layer) -> str:
    """One layer: state, statistic, chance of a false hit, seconds."""
    figures = [f"{layer.statistic:.2f}"] if layer.statistic is not None else []
    figures += [f"by chance <= {layer.bound:.1e}"] if layer.bound is not None else []
    return f"{layer.name:<11}{layer.state:<11}{'  '.join(figures):<32}{layer.seconds:6.2f} s"


def find(args: argparse.Namespace, printer: Printer) -> Result:
    """Entries that all the options meet, newest first, each proven; the question is logged."""
    open_platform()
    from likeness import provenance_search as search
    from likeness.provenance_query import parse

    by = actor(args, "auditor")
    asked = {name: getattr(args, name) for name in FINDS if getattr(args, name)}
    if args.file and (asked or args.photo):
        raise RequestInvalidError({"file": ["A file is asked about alone."]})
    with working(printer):
        if args.file:
            trace, found = search.search_file(args.file, by=by)
            results = found or search.NOTHING
            lines, document = [WORDS[trace.verdict]], {"trace": trace.as_json()}
        else:
            query = parse(asked, photo=args.photo.read_bytes() if args.photo else b"")
            results = (search.export if args.csv else search.search)(query, by=by)
            lines, document = [], {}
    if args.csv:
        args.csv.write_text(results.as_csv(), encoding="utf-8", newline="")
    return Result(document | results.as_json(), [*lines, *told(results)])


def told(results: Results) -> list[str]:
    """Hits as lines."""
    lines = [f"{one.name} ({one.identity})" + ("" if one.sure else ", perhaps") for one in results.people]
    for hit in results.hits:
        event = hit.entry.event
        about = next(
            (f"{name} {event[name]}" for name in ("job", "consent", "identity") if name in event), ""
        )
        lines.append(
            f"{hit.entry.index:>9}  {hit.entry.ts[:19]}  {hit.entry.type:<22} {hit.proof:<9} {about}"
        )
    if not results.hits:
        lines.append("Nothing was found.")
    if results.next is not None:
        lines.append(f"There may be older ones: --before {results.next}")
    if not results.whole:
        lines.append("This is not everything: narrow the question.")
    return lines


def evidence(args: argparse.Namespace, printer: Printer) -> Result:
    """The bundle of a job; that it was taken is logged."""
    open_platform()
    from likeness.portal.report import reports
    from likeness.provenance_evidence import write_evidence

    with working(printer):
        by, pinned = actor(args, "auditor"), _text(args.pinned)
        entries = write_evidence(args.out, job_id=args.job, by=by, pinned=pinned, reports=reports)
    document = {"bundle": str(args.out), "entries": len(entries)}
    return Result(document, [f"{len(entries)} entries with their proofs in {args.out}."])


def verify(args: argparse.Namespace, _printer: Printer) -> Result:
    """Exit 1 when anything in the bundle does not hold."""
    report = verifier.verify(
        str(args.bundle),
        vkey=_text(args.vkey),
        policy=_text(args.policy),
        pinned=_text(args.pinned),
        tsa_roots=_text(args.tsa_roots),
        media=str(args.media or ""),
    )
    ok = report["result"] == "verified"
    return Result(report, verifier.describe(report).splitlines(), Exit.DONE if ok else Exit.FAILED)


def _text(path: Path | None) -> str:
    """The text of a file, with its own line ends; an empty one would check nothing."""
    if path is None:
        return ""
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestInvalidError({path.name: [f"Cannot be read: {error}"]}) from error
    if not text.strip():
        raise RequestInvalidError({path.name: ["Is empty."]})
    return text
