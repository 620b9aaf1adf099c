"""``likeness trace | verify``: where a file comes from, and whether a bundle's proofs hold."""

from __future__ import annotations

import argparse
from pathlib import Path

from audit import verify as verifier
from likeness.cli.arguments import Verbs, add_account, add_verb
from likeness.cli.output import Exit, Printer, Result
from likeness.cli.session import actor, open_platform

WORDS = {
    "present": "This file was generated here.",
    "absent": "No mark of ours was found. That does not prove that the file is genuine.",
    "conflict": "The marks contradict each other or the record: treat the file as tampered with.",
}


def register(verbs: Verbs) -> None:
    """Add the verbs."""
    tracing = add_verb(verbs, "trace", "Find the job, consent and proof behind a file.", trace)
    tracing.add_argument("file", type=Path)
    add_account(tracing)
    verifying = add_verb(verbs, "verify", "Check an evidence bundle, offline.", verify)
    verifying.add_argument("bundle", type=Path)
    verifying.add_argument(
        "--vkey", type=Path, help="the log's public key, from somebody else than the sender"
    )


def trace(args: argparse.Namespace, printer: Printer) -> Result:
    """Read every mark; ask records and log; the question is logged."""
    open_platform()
    from likeness import provenance

    by = actor(args, "auditor", "legal", "operator")
    printer.progress(f"reading the marks of {args.file.name}")
    found = provenance.trace(args.file, by=by)
    lines = [WORDS[found.match], *([found.reason] if found.reason else [])]
    if found.job:
        lines += [
            f"job      {found.job}  ({found.state}, {found.generated})",
            f"consent  {found.consent}  approved by {', '.join(found.approvals) or 'nobody'}",
            f"log      entry {found.leaf}: {found.proof}",
        ]
    lines += [f"{name:<10}{layer['state']}" for name, layer in found.marks.items()]
    return Result(found.as_json(), lines)


def verify(args: argparse.Namespace, _printer: Printer) -> Result:
    """Exit 1 when anything in the bundle does not hold."""
    key = args.vkey.read_text(encoding="utf-8") if args.vkey else ""
    report = verifier.verify(str(args.bundle), vkey=key)
    ok = report["result"] == "verified"
    return Result(report, verifier.describe(report).splitlines(), Exit.DONE if ok else Exit.FAILED)
