"""What a verb stands on: Django, the database, an account to act as, and workers for long work."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import django

from likeness.errors import AccountError

if TYPE_CHECKING:
    from audit.events import Actor
    from likeness.cli.output import Printer


class AccountMissingError(AccountError):
    """No account fits what the verb needs."""

    code = "account.missing"
    hint = "Make one with `likeness accounts add EMAIL --role ROLE`, or name one with --as EMAIL."


def open_platform() -> None:
    """Set Django up and ensure the migrated database; the embedded server is started when it is down."""
    django.setup()
    from likeness.embedded.prepare import prepare_database

    prepare_database()


@contextmanager
def working(printer: Printer) -> Iterator[None]:
    """Have a worker and a sequencer for the length of the block: those that run, or own ones."""
    from django.conf import settings

    from likeness.stack import BEHIND, Stack, is_running

    if is_running(settings.LIKENESS_HOME):
        yield
        return
    printer.progress("starting a worker for this command (`likeness up` keeps one running)")
    with Stack(parts=BEHIND):
        yield


def actor(args: argparse.Namespace, *roles: str) -> Actor:
    """The account named with ``--as``, or else the oldest one that has one of the roles.

    Raises:
        AccountMissingError: there is no such account.
    """
    from likeness.accounts.models import User

    users = User.objects.filter(is_active=True).order_by("pk")
    if args.account:
        user = users.filter(email__iexact=args.account).first()
        if user is None:
            raise AccountMissingError(f"There is no active account {args.account}.")
        return user.actor
    for user in users:
        if not roles or set(roles) & set(user.roles):
            return user.actor
    raise AccountMissingError(f"No account has the role {' or '.join(roles)}.")
