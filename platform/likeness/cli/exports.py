"""``likeness export-unlabelled | exports``: statutory copies without the visible label."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.cli.arguments import Verbs, add_account, add_verb
from likeness.cli.output import Printer, Result
from likeness.cli.session import actor, open_platform, working

if TYPE_CHECKING:
    from generation.models import Export


def register(verbs: Verbs) -> None:
    """Add the verbs."""
    text = "Ask, as legal, for a copy of a delivered output without the visible label."
    asking = add_verb(verbs, "export-unlabelled", text, ask)
    asking.add_argument("job")
    asking.add_argument("--recipient", required=True, help="who gets it, in full")
    asking.add_argument("--agreement", required=True, help="number of the agreement; it stands in the log")
    asking.add_argument("--purpose", required=True)
    asking.add_argument(
        "--declared", action="store_true", help="the recipient signed the declaration of article 9"
    )
    add_account(asking)
    listing = add_verb(
        verbs, "exports", "List such copies; approve, decline, take out or erase one.", exports
    )
    listing.add_argument("export", nargs="?")
    deciding = listing.add_mutually_exclusive_group()
    deciding.add_argument("--approve", action="store_true", help="agree, as business; makes the copy")
    deciding.add_argument("--decline", action="store_true", help="do not agree, as business")
    deciding.add_argument("--out", type=Path, metavar="FILE", help="take the copy out, as legal; logged")
    deciding.add_argument("--erase", action="store_true", help="forget the recipient, when the time is over")
    add_account(listing)


def ask(args: argparse.Namespace, _printer: Printer) -> Result:
    """Record the request; another person decides."""
    open_platform()
    from generation import statutory

    by = actor(args, "legal")
    wanted = statutory.ExportRequest(args.recipient, args.agreement, args.purpose, args.declared)
    row = statutory.request(args.job, wanted, by=by)
    return Result(_row(row), [f"Asked for: {row.id}.", f"Next: likeness exports {row.id} --approve --as …"])


def exports(args: argparse.Namespace, printer: Printer) -> Result:
    """The requests, or one of them and what becomes of it."""
    open_platform()
    from generation import statutory

    if not args.export:
        rows = list(statutory.seen(by=actor(args, "legal", "business", "auditor")))
        return Result({"exports": [_row(row) for row in rows]}, [_line(row) for row in rows] or ["None."])
    if args.approve:
        return _approve(args, printer)
    if args.out:
        return _take_out(args)
    if args.decline:
        row = statutory.reject(args.export, by=actor(args, "business"))
    elif args.erase:
        by = actor(args, "legal")
        statutory.erase_recipient(args.export, by=by)
        row = statutory.find(args.export, by=by)
    else:
        row = statutory.find(args.export, by=actor(args, "legal", "business", "auditor"))
    return Result(_row(row), [_line(row)])


def _approve(args: argparse.Namespace, printer: Printer) -> Result:
    """Agree, and wait for the copy."""
    from generation import statutory
    from likeness.cli.generate import wait

    by = actor(args, "business")
    with working(printer):
        row = statutory.approve(args.export, by=by)
        copy = wait(str(row.copy_id), by=by, printer=printer)
    row = statutory.find(args.export, by=by)
    lines: Sequence[str] = [_line(row)]
    if copy.message:
        lines = [*lines, f"{copy.message}  [{copy.code}]"]
    return Result(_row(row), lines)


def _take_out(args: argparse.Namespace) -> Result:
    from generation import statutory
    from likeness import follow

    by = actor(args, "legal")
    row = statutory.find(args.export, by=by)
    follow.take_out(str(row.copy_id), args.out, by=by)
    return Result({**_row(row), "out": str(args.out)}, [f"{args.out}: {_line(row)}"])


def _row(row: Export) -> dict[str, object]:
    """A request as scripts see it."""
    copy: Any = row.copy
    return {
        "export": str(row.id),
        "job": str(row.job_id),
        "state": str(row.state),
        "copy": str(row.copy_id or ""),
        "copy_state": str(copy.state) if copy else "",
        "agreement": row.agreement,
        "keep_until": row.keep_until.isoformat() if row.keep_until else "",
    }


def _line(row: Export) -> str:
    made = f"  copy {row.copy_id} {row.copy.state}" if row.copy else ""
    return f"{row.id}  {row.state:<9} {row.agreement}  job {row.job_id}{made}"
