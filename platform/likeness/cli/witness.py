"""``likeness witness``: be a witness of a log, and carry requests and cosignatures by file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.arguments import Verbs, add_verb
from likeness.cli.output import Exit, Printer, Result
from likeness.cli.session import open_platform

if TYPE_CHECKING:
    from audit.pushing import Connection

DEFAULT_PORT = 8091


def register(verbs: Verbs) -> None:
    """Add the verb and its actions."""
    parser = add_verb(verbs, "witness", "Cosign a log's checkpoints, or have them cosigned.", status)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    making = add_verb(actions, "init", "Make a witness: its key and its memory.", init)
    making.add_argument("--name", required=True, help="a name without spaces, such as regulator.example/w1")
    trusting = add_verb(actions, "trust", "Let the witness cosign a log.", trust)
    trusting.add_argument("vkey", help="the log's key, as its log.vkey says it")
    serving = add_verb(actions, "serve", "Answer logs over HTTP until Ctrl-C.", serve)
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=int, default=DEFAULT_PORT)
    cosigning = add_verb(actions, "cosign", "Answer a request that a courier brought.", cosign)
    cosigning.add_argument("request", type=Path)
    cosigning.add_argument("--out", type=Path, required=True)
    for action in (making, trusting, serving, cosigning):
        action.add_argument("--home", type=Path, default=Path("witness"), help="the witness's own directory")
    asking = add_verb(actions, "request", "Write what a courier carries to a witness.", request)
    asking.add_argument("--out", type=Path, required=True)
    asking.add_argument("--witness", default="", help="its name in log.policy")
    asking.add_argument(
        "--old", type=int, metavar="SIZE", help="the size that the witness says it cosigned last"
    )
    taking = add_verb(actions, "accept", "Store the cosigned checkpoint that a courier brought back.", accept)
    taking.add_argument("note", type=Path)
    add_verb(actions, "status", "Show every witness of this log, and any alarm.", status)
    resuming = add_verb(actions, "resume", "Sign again after a witness refused the log.", resume)
    resuming.add_argument("--reason", required=True, help="a code without spaces, for the log")


def init(args: argparse.Namespace, _printer: Printer) -> Result:
    """A new key; the witness's own people keep it."""
    from audit import witness

    key = witness.create(args.home, name=args.name)
    lines = [f"Made {args.home}. For the log's policy file:", f"witness NAME {key} URL"]
    return Result({"home": str(args.home), "vkey": str(key)}, lines)


def trust(args: argparse.Namespace, _printer: Printer) -> Result:
    """From now on, without a restart."""
    from audit import witness
    from audit.checkpoint import VerifierKey

    key = VerifierKey.parse(args.vkey)
    witness.trust(args.home, key)
    return Result({"origin": key.name}, [f"{args.home} cosigns {key.name}."])


def serve(args: argparse.Namespace, printer: Printer) -> Result:
    """One witness, in the foreground."""
    from audit import witness_http

    printer.progress(f"witness of {args.home} on http://{args.host}:{args.port}  (Ctrl-C stops it)")
    code = witness_http.main([str(args.home), "--host", args.host, "--port", str(args.port)])
    return Result({"stopped": True}, ["Stopped."], Exit.FAILED if code else Exit.DONE)


def cosign(args: argparse.Namespace, _printer: Printer) -> Result:
    """The same checks as over HTTP, and the same memory."""
    from audit import courier
    from audit.witness import Witness

    held = Witness(args.home)
    try:
        args.out.write_bytes(courier.cosign(held, args.request.read_bytes()).encode())
    finally:
        held.close()
    return Result({"out": str(args.out)}, [f"Cosigned. Carry {args.out} back to the log."])


def _connect() -> Connection:
    from audit import sequencer

    open_platform()
    return sequencer.connect()


def request(args: argparse.Namespace, _printer: Printer) -> Result:
    """From the size that the witness cosigned last, as far as this log knows."""
    with _connect() as connection:
        from audit import courier

        asked = courier.request(connection, name=args.witness, old=args.old)
    args.out.write_bytes(str(asked).encode())
    return Result(
        {"out": str(args.out), "old": asked.old},
        [f"Carry {args.out} to the witness; it runs `likeness witness cosign {args.out.name} --out ANSWER`."],
    )


def accept(args: argparse.Namespace, _printer: Printer) -> Result:
    """A cosigned head that this log never signed freezes it."""
    with _connect() as connection:
        from audit import courier

        size = courier.accept(connection, args.note.read_bytes().decode())
    return Result({"size": size}, [f"The tree of {size} entries is cosigned."])


def status(_args: argparse.Namespace, _printer: Printer) -> Result:
    """Exit 1 on an alarm."""
    open_platform()
    from audit import selectors

    health = selectors.witness_health()
    rows = [
        {
            "name": state.name,
            "url": state.url,
            "same_operator": state.same_operator,
            "size": state.size,
            "time": state.time.isoformat() if state.time else None,
        }
        for state in health.witnesses
    ]
    document = {
        "quorum": health.quorum,
        "size": health.size,
        "signed_size": health.signed_size,
        "frozen": health.frozen,
        "stale": health.stale,
        "fault": health.fault,
        "witnesses": rows,
    }
    lines = [
        f"{health.signed_size} entries are signed; {health.size} are cosigned by the quorum {health.quorum}."
    ]
    for state in health.witnesses:
        own = " (same operator: proves nothing to a stranger)" if state.same_operator else ""
        lines.append(f"{state.name}: {state.size} entries at {state.time or 'no time yet'}{own}")
    if health.frozen:
        lines.append(f"FROZEN: {health.frozen_by} refused this log. See signer/frozen of the home directory.")
    if health.stale:
        lines.append("STALE: no head was cosigned within the last hour.")
    lines += [health.fault] if health.fault else []
    return Result(document, lines, Exit.FAILED if health.alarm else Exit.DONE)


def resume(args: argparse.Namespace, _printer: Printer) -> Result:
    """The decision is logged, with the hash of the evidence."""
    with _connect() as connection:
        from audit import services
        from audit.events import SYSTEM, Actor

        services.resume(connection, reason=args.reason, by=Actor(SYSTEM, SYSTEM))
    return Result({"resumed": True}, ["The log is signed again; the evidence is kept in signer/."])
