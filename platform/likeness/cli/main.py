"""The ``likeness`` command: parses the arguments, runs one verb, answers with an exit code.

Every verb takes ``--json`` and then prints one JSON document on stdout, progress on stderr, and exits 0 done,
1 failed, 2 bad usage, 3 refused by the gate.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

from generation.errors import RefusedError
from likeness import env
from likeness.cli.output import Exit, Printer, Result

FAMILIES = (
    "demo",
    "serve",
    "consent",
    "generate",
    "present",
    "exports",
    "hooks",
    "templates",
    "provenance",
    "rejoin",
    "audit",
    "witness",
    "weights",
    "voices",
    "accounts",
)
"""Modules of this package, each with ``register(verbs)``; the order is that of the help text."""

log = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """The parser with every verb of every family."""
    parser = argparse.ArgumentParser(
        prog="likeness", description="Licensed likenesses: enrol, approve, generate, trace, verify."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for family in FAMILIES:
        importlib.import_module(f"likeness.cli.{family}").register(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    env.use_settings()
    os.umask(0o077)  # whatever a command leaves behind is private to its owner
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    args = build_parser().parse_args(argv)
    printer = Printer(as_json=args.json)
    try:
        result: Result = args.run(args, printer)
    except KeyboardInterrupt:
        printer.error("interrupted", "Stopped by the keyboard.", "Run the command again.")
        return Exit.FAILED
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        printer.error(
            "file.unusable", f"{error.filename}: {error.strerror}.", "Check the path and its rights."
        )
        return Exit.FAILED
    except Exception as error:  # noqa: BLE001  the edge of the program: everything becomes one clear line
        return report(error, printer)
    printer.result(result)
    return result.exit


def report(error: Exception, printer: Printer) -> int:
    """Say what went wrong; 3 when the gate refused, 1 for everything else."""
    code = str(getattr(error, "code", "internal"))
    hint = str(
        getattr(error, "hint", "This is a fault of the program; the lines above say where. Please report it.")
    )
    more = {name: value for name in ("job", "reasons") if (value := getattr(error, name, None))}
    printer.error(code, str(error) or type(error).__name__, hint, **more)
    if code == "internal":
        log.error("unexpected error", exc_info=error)
    return Exit.REFUSED if isinstance(error, RefusedError) else Exit.FAILED


if __name__ == "__main__":
    sys.exit(main())
