"""``likeness rejoin``: the credential of a copy that lost it."""

from __future__ import annotations

import argparse
from pathlib import Path

from likeness.cli.arguments import Verbs, add_account, add_verb
from likeness.cli.output import Printer, Result
from likeness.cli.session import actor, open_platform

SAYS = {
    "hard": "The file is the one that was signed: the credential holds for every octet of it.",
    "soft": "The file is a changed copy. The credential proves who signed the output and what they said of "
    "it; that the file shows that output is told by its marks alone: the hash inside does not hold for it.",
}


def register(verbs: Verbs) -> None:
    """Add the verb."""
    joining = add_verb(verbs, "rejoin", "Find the kept credential of a copy that lost it.", rejoin)
    joining.add_argument("file", type=Path)
    joining.add_argument("--out", type=Path, required=True, help="the credential to write, such as FILE.c2pa")
    add_account(joining)


def rejoin(args: argparse.Namespace, printer: Printer) -> Result:
    """Read the marks, find the output, check the kept credential, write it beside the copy."""
    open_platform()
    from likeness import rejoin as rejoining

    by = actor(args, "auditor", "legal", "operator")
    printer.progress(f"reading the marks of {args.file.name}")
    found = rejoining.rejoin(args.file, by=by)
    args.out.write_bytes(found.manifest)
    document = {**found.as_json(), "out": str(args.out), "says": SAYS[found.binding]}
    lines = [
        SAYS[found.binding],
        f"job         {found.trace.job}",
        f"signed by   {found.credential.signer}",
        f"credential  {args.out}, {len(found.manifest)} bytes, sha256 {found.manifest_sha256}",
    ]
    return Result(document, lines)
