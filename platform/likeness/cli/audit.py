"""``likeness audit``: check the log, export it, change its key, have it stamped, tell words beside it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from likeness.cli.arguments import Verbs, add_account, add_verb
from likeness.cli.output import Exit, Printer, Result
from likeness.cli.session import actor, open_platform

if TYPE_CHECKING:
    from audit.ranges import Problem

STATE = "log.check"


def register(verbs: Verbs) -> None:
    """Add the verb and its actions."""
    parser = add_verb(verbs, "audit", "Check or export the log; change its key.", check)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    checking = add_verb(
        actions, "check", "Recompute every hash, tile and checkpoint; names each entry that differs.", check
    )
    checking.add_argument(
        "--since", type=int, default=0, metavar="SIZE", help="start at the newest signed head of at most SIZE"
    )
    checking.add_argument("--resume", action="store_true", help="go on where an interrupted check stopped")
    checking.add_argument("--report", type=Path, metavar="FILE", help="write what was found, signed")
    exporting = add_verb(
        actions, "export", "Write checkpoint, tiles, entries, proofs and verifier key.", export
    )
    exporting.add_argument("directory", type=Path)
    add_verb(actions, "keys", "Show the keys that sign the log, and those that did.", keys)
    rotating = add_verb(actions, "rotate", "Let a new key sign beside the old one.", rotate)
    elsewhere = rotating.add_mutually_exclusive_group()
    elsewhere.add_argument(
        "--transit",
        default="",
        metavar="URL",
        help="a key that Vault holds: https://HOST/v1/transit/keys/NAME",
    )
    elsewhere.add_argument(
        "--pkcs11",
        default="",
        metavar="URI",
        help="a key of a hardware security module: pkcs11:token=NAME;object=NAME?module-path=/LIBRARY.so",
    )
    add_verb(actions, "retire", "End a rotation: the old key signs no more.", retire)
    replaying = add_verb(
        actions, "replay", "After a restored database: put the missing entries back from a copy.", replay
    )
    replaying.add_argument("directory", type=Path, help="what `likeness audit export` wrote")
    reopening = add_verb(
        actions, "reopen", "After a restored database: go on under a new name that says so.", reopen
    )
    reopening.add_argument("--origin", required=True, metavar="NEW", help="such as bank.example/audit/2")
    add_verb(actions, "stamp", "Have the configured authority stamp the newest head now.", stamp)
    listing = add_verb(actions, "stamps", "Show the stamped heads, newest first.", stamps)
    listing.add_argument("--limit", type=int, default=20, metavar="NUMBER")
    telling = add_verb(
        actions, "disclose", "Tell the words that an entry commits to; it is logged.", disclose
    )
    telling.add_argument("index", type=int)
    add_account(telling)


def check(args: argparse.Namespace, printer: Printer) -> Result:
    """Exit 1 when anything differs."""
    open_platform()
    from audit import fsck, report

    begun, state = datetime.now(UTC), Path(settings.LIKENESS_HOME) / STATE
    if not args.resume:
        state.unlink(missing_ok=True)
    problems = fsck.check(
        progress=lambda done, total: printer.bar(f"{done} of {total} entries", done / max(1, total)),
        since=args.since,
        state=state,
        parallel=fsck.processes(),
    )
    if args.report is not None:
        signed = report.sign(problems, since=args.since, begun=begun)
        args.report.write_text(signed.note, encoding="utf-8")
        printer.progress(f"{args.report} is signed; its key: {signed.key}")
    return _found(problems)


def _found(problems: Sequence[Problem]) -> Result:
    rows = [
        {"index": problem.index, "what": problem.what, "message": problem.message} for problem in problems
    ]
    if problems:
        return Result({"ok": False, "problems": rows}, [problem.message for problem in problems], Exit.FAILED)
    return Result(
        {"ok": True, "problems": []},
        [
            "The log is consistent with itself and its signed checkpoints.",
            "Whoever holds the signing key could still have rewritten all of it: `likeness witness status`"
            " says who outside has cosigned it.",
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


def keys(_args: argparse.Namespace, _printer: Printer) -> Result:
    """The oldest first."""
    open_platform()
    from audit import keys as held
    from audit import signer

    known = held.read(signer.home())
    rows = [{"state": key.state, "vkey": str(key.key), "keeper": key.keeper} for key in known]
    return Result({"keys": rows}, [f"{key.state:8}{key.keeper:9}{key.key}" for key in known])


def rotate(args: argparse.Namespace, _printer: Printer) -> Result:
    """Every checkpoint carries both signatures until the old key is retired."""
    open_platform()
    from audit import services
    from audit.events import SYSTEM, Actor

    added = services.rotate(by=Actor(SYSTEM, SYSTEM), transit_url=args.transit, pkcs11_uri=args.pkcs11)
    lines = [
        f"From now on this key signs too: {added.key}",
        "Give it to every witness and auditor; then end the rotation with `likeness audit retire`.",
    ]
    return Result({"vkey": str(added.key), "keeper": added.keeper}, lines)


def retire(_args: argparse.Namespace, _printer: Printer) -> Result:
    """Refused until the new key has signed."""
    open_platform()
    from audit import services
    from audit.events import SYSTEM, Actor

    retired = services.retire(by=Actor(SYSTEM, SYSTEM))
    return Result({"retired": str(retired)}, [f"This key signs no more: {retired}"])


def stamp(_args: argparse.Namespace, _printer: Printer) -> Result:
    """Exit 1 where no authority is configured."""
    open_platform()
    from audit import sequencer, stamping

    by = stamping.configured()
    if by is None:
        return Result({"size": 0}, ["LIKENESS_TSA_URL names no authority: nothing was sent."], Exit.FAILED)
    with sequencer.connect() as connection:
        size = stamping.stamp_newest(connection, by)
    told = f"{by.url} stamped the head of {size} entries." if size else "The newest head is stamped already."
    return Result({"size": size, "authority": by.url}, [told])


def stamps(args: argparse.Namespace, _printer: Printer) -> Result:
    """Each token is checked anew, where its authority is the configured one."""
    open_platform()
    from audit import selectors, stamping

    rows = [
        {
            "size": found.size,
            "authority": found.authority,
            "time": found.time.isoformat(),
            "state": str(stamping.state(found.token, found.note, found.authority)),
        }
        for found in selectors.stamps(max(1, args.limit))
    ]
    lines = [f"{row['size']:>9}  {row['time']}  {row['state']:<9}  {row['authority']}" for row in rows]
    return Result({"timestamps": rows}, lines or ["No head was stamped yet."])


def disclose(args: argparse.Namespace, _printer: Printer) -> Result:
    """For auditors and legal; words that were erased are gone."""
    open_platform()
    from consent import disclosures

    told = disclosures.disclose(args.index, by=actor(args, "auditor", "legal"))
    return Result({"index": args.index, "salt": told.salt, "jcs": told.jcs}, [told.jcs, f"salt {told.salt}"])


def replay(args: argparse.Namespace, _printer: Printer) -> Result:
    """The platform must be down; every index stays what it was."""
    open_platform()
    from audit import restoring, sequencer

    with sequencer.connect() as connection:
        done = restoring.replay(connection, args.directory)
    lines = [
        f"The entries from {done.kept} to {done.size} are back, and the log is signed again.",
        "What they tell of may be missing in the other tables: the entry log.restored says where.",
    ]
    return Result({"kept": done.kept, "size": done.size}, lines)


def reopen(args: argparse.Namespace, _printer: Printer) -> Result:
    """The platform must be down; the entries that are missing stay lost, and the log says so."""
    open_platform()
    from audit import restoring, sequencer

    old = settings.LIKENESS_LOG_ORIGIN
    with sequencer.connect() as connection:
        key = restoring.reopen(connection, origin=args.origin)
    lines = [
        f"The log goes on as {args.origin}; nothing is signed as {old} any more. Its key: {key.key}",
        f"Set LIKENESS_LOG_ORIGIN={args.origin}, give the key to witnesses and auditors, then start again.",
        "Keep the old signer's directory beside the new one: it shows what was signed under the old name.",
    ]
    return Result({"origin": args.origin, "previous": old, "vkey": str(key.key)}, lines)
