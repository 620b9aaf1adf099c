"""``likeness demo``: the whole chain on sample subjects, from nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from django.conf import settings

from generation.engine.weights.pull import pull_samples, pull_starter
from likeness.cli.arguments import Verbs, add_verb
from likeness.cli.generate import wait
from likeness.cli.output import Printer, Result
from likeness.cli.session import open_platform, working


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "demo", "Show the whole chain on two public-domain portraits.", run)
    parser.add_argument("--portrait", type=Path, help="your own portrait in place of the first sample")
    parser.add_argument("--target", type=Path, help="your own footage in place of the made clip")
    parser.add_argument(
        "--teller-format",
        choices=("landscape", "preview"),
        default="landscape",
        help="of the teller's clips: landscape (1080p) or preview (720p)",
    )
    parser.add_argument("--out", type=Path, default=Path("demo"), help="where to write (default demo/)")


def run(args: argparse.Namespace, printer: Printer) -> Result:
    """Weights, engines, subjects, generation, trace, proof, refusals."""
    printer.progress(
        "Likeness demo. Every licence here is a sample: nobody in the pictures agreed to anything."
    )
    pull_starter(settings.LIKENESS_WEIGHTS, printer.progress)
    pull_samples(settings.LIKENESS_WEIGHTS, printer.progress)
    open_platform()
    from likeness.accounts import services
    from likeness.demo.run import Demo, clear

    users = services.ensure_demo_users()
    people = {role: user.actor for role, user in users.items()}
    clear(args.out)
    with working(printer):
        document = Demo(
            args.out,
            printer.progress,
            lambda job_id: wait(job_id, by=people["requester"], printer=printer),
            people,
            printer.bar,
            form=args.teller_format,
            portrait=args.portrait,
            target=args.target,
        ).run()
    accounts = "\n".join(f"{user.email}  {services.demo_password()}" for user in users.values())
    (args.out / "accounts.txt").write_text(accounts + "\n", encoding="utf-8")
    return Result(document, _last_words(args.out))


def _last_words(out: Path) -> list[str]:
    return [
        "",
        f"Done. Open {out / 'index.html'} in a browser.",
        f"  {out / 'swap.mp4'}     the generated clip, labelled and marked",
        f"  {out / 'sheet.png'}    before and after",
        *(f"  {path}  a script, said by the licensed face" for path in sorted(out.glob("teller-*.mp4"))),
        f"  {out / 'bundle.zip'}   the proof, for anybody with Python",
        f"Then `make up` and sign in with an account of {out / 'accounts.txt'}.",
    ]
