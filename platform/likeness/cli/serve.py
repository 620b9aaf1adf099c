"""``likeness up | stop``: run everything on this machine, in the foreground; stop the embedded database."""

from __future__ import annotations

import argparse

from django.conf import settings

from likeness.cli.arguments import Verbs, add_verb
from likeness.cli.output import Exit, Printer, Result
from likeness.cli.session import open_platform


def register(verbs: Verbs) -> None:
    """Add the verbs."""
    add_verb(verbs, "up", "Run portal, API, worker and log until Ctrl-C.", up)
    add_verb(verbs, "stop", "Stop the embedded database that commands leave running.", stop)


def up(_args: argparse.Namespace, printer: Printer) -> Result:
    """Start everything and stay; an empty installation gets its first accounts."""
    open_platform()
    from likeness.stack import Stack

    _first_accounts(printer)
    printer.progress("starting")
    with Stack() as stack:
        told = f"Likeness runs on {stack.url}  (logs in {settings.LIKENESS_LOGS}; Ctrl-C stops it)"
        stack.wait(lambda: printer.progress(told))
    return Result({"stopped": True}, ["Stopped."])


def stop(_args: argparse.Namespace, _printer: Printer) -> Result:
    """Stop the embedded PostgreSQL of this home."""
    from likeness.embedded.postgres import EmbeddedPostgres
    from likeness.stack import is_running

    if not settings.LIKENESS_EMBEDDED:
        return Result({"stopped": False}, ["The database is external; nothing to stop."])
    if is_running(settings.LIKENESS_HOME):
        return Result({"stopped": False}, ["`likeness up` runs here: stop it with Ctrl-C."], Exit.FAILED)
    server = EmbeddedPostgres(settings.LIKENESS_HOME)
    if not server.alive():
        return Result({"stopped": False}, ["The embedded database does not run."])
    server.stop()
    return Result({"stopped": True}, ["The embedded database is stopped."])


def _first_accounts(printer: Printer) -> None:
    """On a local installation without any account: one a role, with a password in a private file."""
    from likeness.accounts import services
    from likeness.accounts.models import User

    if settings.LIKENESS_PROFILE == "production" or User.objects.exists():
        return
    users = services.ensure_demo_users()
    printer.progress(f"first accounts: {', '.join(user.email for user in users.values())}")
    printer.progress(f"their password: {services.demo_password()}")
