"""How a verb is declared: a name, a help line, a function, and the options that every verb has."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from likeness.cli.output import Printer, Result

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Verbs = object

Run = Callable[[argparse.Namespace, Printer], Result]


def add_verb(verbs: Verbs, name: str, text: str, run: Run) -> argparse.ArgumentParser:
    """Declare one verb; every verb takes ``--json``."""
    parser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.set_defaults(run=run)
    return parser


def add_account(parser: argparse.ArgumentParser) -> None:
    """``--as EMAIL``: the account in whose name the verb acts and is logged."""
    parser.add_argument(
        "--as", dest="account", metavar="EMAIL", help="act as this account (see `likeness accounts`)"
    )
