"""``likeness audit``: check the whole log, export it as static files."""

from __future__ import annotations

import argparse
from pathlib import Path

from likeness.cli.arguments import Verbs, add_verb
from likeness.cli.output import Exit, Printer, Result
from likeness.cli.session import open_platform


def register(verbs: Verbs) -> None:
    """Add the verb and its actions."""
    parser = add_verb(verbs, "audit", "Check or export the log.", check)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_verb(
        actions, "check", "Recompute every hash, tile and checkpoint; names each entry that differs.", check
    )
    exporting = add_verb(
        actions, "export", "Write checkpoint, tiles, entries, proofs and verifier key.", export
    )
    exporting.add_argument("directory", type=Path)


def check(_args: argparse.Namespace, printer: Printer) -> Result:
    """Exit 1 when anything differs."""
    open_platform()
    from audit import fsck

    problems = list(fsck.check(progress=lambda done, total: printer.bar("entries", done / max(1, total))))
    rows = [
        {"index": problem.index, "what": problem.what, "message": problem.message} for problem in problems
    ]
    if problems:
        return Result({"ok": False, "problems": rows}, [problem.message for problem in problems], Exit.FAILED)
    return Result(
        {"ok": True, "problems": []},
        [
            "The log is consistent with itself and its signed checkpoints.",
            "Whoever holds the signing key could still have rewritten all of it: keep an export elsewhere.",
        ],
    )


def export(args: argparse.Namespace, _printer: Printer) -> Result:
    """Static files that other people's tools verify."""
    open_platform()
    from audit.export import export as write

    done = write(args.directory)
    return Result(
        {"directory": str(args.directory), "size": done.size}, [f"{done.size} entries in {args.directory}."]
    )
