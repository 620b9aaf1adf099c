"""``likeness hooks``: the addresses that are told how jobs end."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from likeness.cli.arguments import Verbs, add_account, add_verb
from likeness.cli.output import Exit, Printer, Result
from likeness.cli.session import actor, open_platform

if TYPE_CHECKING:
    from generation.models import Delivery, Hook

SHOWN = 20
"""Deliveries that a list shows."""


def register(verbs: Verbs) -> None:
    """Add the verb and its actions."""
    parser = add_verb(verbs, "hooks", "Addresses that are told how jobs and presentations end.", show)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    adding = add_verb(
        actions, "add", "Register an https address of a listed host; its secret is printed once.", add
    )
    adding.add_argument("url")
    add_account(adding)
    listing = add_verb(actions, "list", "Every address, and the messages that never arrived.", show)
    add_account(listing)
    for name, text, run in (
        ("remove", "Call an address no more.", remove),
        ("test", "Send an address a ping, now, and say what became of it.", ping),
    ):
        verb = add_verb(actions, name, text, run)
        verb.add_argument("hook")
        add_account(verb)


def add(args: argparse.Namespace, _printer: Printer) -> Result:
    """Register one."""
    open_platform()
    from generation import hooks

    added = hooks.add(args.url, by=actor(args, "operator"))
    return Result(
        {**_row(added.hook), "secret": added.secret},
        [_line(added.hook), f"Secret (shown once): {added.secret}"],
    )


def show(args: argparse.Namespace, _printer: Printer) -> Result:
    """All of them, and what is dead."""
    open_platform()
    from generation import hooks

    by = actor(args, "operator", "auditor")
    found = list(hooks.registered(by=by))
    dead = list(hooks.deliveries(by=by, state="dead")[:SHOWN])
    lines = [_line(hook) for hook in found] or ["None yet."]
    return Result(
        {"hooks": [_row(hook) for hook in found], "dead": [_sent(row) for row in dead]},
        [*lines, *(f"dead: {_told(row)}" for row in dead)],
    )


def remove(args: argparse.Namespace, _printer: Printer) -> Result:
    """Call one no more."""
    open_platform()
    from generation import hooks

    hook = hooks.remove(args.hook, by=actor(args, "operator"))
    return Result(_row(hook), [_line(hook)])


def ping(args: argparse.Namespace, _printer: Printer) -> Result:
    """Send a ping from here; a failed one is tried again like every message."""
    open_platform()
    from generation import hooks

    row = hooks.ping(args.hook, by=actor(args, "operator"))
    hooks.deliver(row.pk)  # a worker that is faster has done it: then this does nothing
    row.refresh_from_db()
    return Result(_sent(row), [_told(row)], Exit.DONE if row.state == "delivered" else Exit.FAILED)


def _row(hook: Hook) -> dict[str, object]:
    return {"hook": str(hook.pk), "url": hook.url, "active": hook.active}


def _line(hook: Hook) -> str:
    return f"{hook.pk}  {'active ' if hook.active else 'removed'}  {hook.url}"


def _sent(row: Delivery) -> dict[str, object]:
    return {
        "delivery": str(row.pk),
        "hook": str(row.hook_id),
        "event": row.event,
        "state": str(row.state),
        "attempts": row.attempts,
        "status": row.status,
        "problem": row.problem,
        "created": row.created.isoformat(),
    }


def _told(row: Delivery) -> str:
    answer = f"answered {row.status}" if row.status else "no answer"
    because = f" ({row.problem})" if row.problem else ""
    return f"{row.created:%Y-%m-%d %H:%M} {row.event} to {row.url}: {row.state}, {answer}{because}"
