"""A script to its sealed file through the platform itself: queue, worker, log, marks, at 1080p.

    python -m tests.bench.bench_presentation [--home DIR] [--sentences 2] [--times 1]

A stack of its own in ``--home`` (a short path; its weights are linked to the repository's), warmed by one
short script. Wall time and the processor time of all the stack's processes stand against the video's length.
Then one sentence of the same script is edited and the video revised: its times stand against the first run's.
Peak memory is the largest process's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
SENTENCES = (
    "您好，我是AI生成的数字柜员，很高兴为您介绍一款存款产品。",
    "这款产品一百元起存，年利率是1.85%，期限为六个月。",
    "您可以在手机银行里办理，也可以到附近的网点咨询。",
    "如需帮助，请拨打95588，我们的客服会为您解答。",
    "办理之前，请您认真阅读产品说明和风险提示。",
)
EDITED = "这款产品五百元起存，年利率是1.95%，期限为九个月。"
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Print a table; 1 when a run did not end well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path)
    parser.add_argument("--sentences", type=int, default=3)
    parser.add_argument("--times", type=int, default=1, help="the sentences said so many times over")
    parser.add_argument(
        "--own", action="store_true", help="the licensed person's own portrait, without a swap"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lk") as made:
        home = (args.home or Path(made)).absolute()
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "weights").exists():
            (home / "weights").symlink_to(REPOSITORY / "var" / "weights")
        os.environ["LIKENESS_HOME"] = str(home)
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    from likeness import env

    env.use_settings()
    from likeness.cli.session import open_platform

    open_platform()
    from likeness.accounts import services
    from likeness.stack import BEHIND, Stack

    people = {role: user.actor for role, user in services.ensure_demo_users().items()}
    ids = _subjects(people)
    script = list(SENTENCES[: args.sentences]) * args.times
    changed = [EDITED if at == len(script) // 2 else each for at, each in enumerate(script)]
    with Stack(parts=BEHIND) as stack:
        _present("一百元起存。", ids, people, stack)
        whole = _present("".join(script), ids, people, stack)
        edited = _present("".join(changed), ids, people, stack, revises=whole["id"])
    print("| run | video s | wall s | wall / video | CPU ms a frame |")
    print("| --- | --- | --- | --- | --- |")
    for name, run in (("whole", whole), (f"1 of {len(script)} sentences edited", edited)):
        print(
            f"| {name} | {run['video_s']:.1f} | {run['wall_s']:.1f} | {run['wall_s'] / run['video_s']:.2f} "
            f"| {1000 * run['cpu_s'] / run['frames']:.1f} |"
        )
    wall, cpu = edited["wall_s"] / whole["wall_s"], edited["cpu_s"] / whole["cpu_s"]
    print(f"\nedited / whole: wall {wall:.2f} (under .33 wanted), CPU {cpu:.2f}")
    print(f"whole: {whole['wall_s'] / whole['video_s']:.2f} of the video's length (1.0 wanted)")
    print(f"whole: {1000 * whole['cpu_s'] / whole['frames']:.0f} ms CPU a frame (60 wanted)")
    print(f"peak memory: {max(whole['peak_mib'], edited['peak_mib']):.0f} MiB (1,200 wanted)")
    print(json.dumps({"whole": whole, "edited": edited}, ensure_ascii=False, indent=1))
    return 0 if whole["state"] == edited["state"] == "succeeded" else 1


def _subjects(people: dict[str, Any]) -> tuple[str, str]:
    from django.conf import settings

    from generation.engine.weights.pull import pull_samples, pull_starter
    from likeness.demo import samples, steps

    pull_starter(settings.LIKENESS_WEIGHTS, lambda _: None)
    pull_samples(settings.LIKENESS_WEIGHTS, lambda _: None)
    found = []
    for subject in (samples.TELLER, samples.PERFORMER):
        picture = (settings.LIKENESS_WEIGHTS / subject.picture).read_bytes()
        identity = steps.enrol(subject, picture, people=people)
        steps.license_and_approve(identity, subject, people=people)
        found.append(identity.id)
    return found[0], found[1]


def _present(
    text: str, ids: tuple[str, str], people: dict[str, Any], stack: Any, *, revises: str = ""
) -> dict[str, Any]:
    from generation import presenting, selectors
    from likeness import follow
    from likeness.demo.samples import CHANNEL, PURPOSE

    by = people["requester"]
    request = presenting.PresentRequest(
        identity_id=ids[0],
        performer_id=ids[1],
        script=text,
        purpose=PURPOSE,
        channel=CHANNEL,
        language="zh",
        revises=revises,
    )
    states: list[tuple[float, str]] = []
    cpu, began = _cpu_s(stack), time.perf_counter()

    def watch(state: str, share: float) -> None:
        row = selectors.presentation(client_id, tenant=by.tenant)
        now = f"{row.state}/{row.job.state if row.job else ''}"
        if not states or states[-1][1] != now:
            states.append((round(time.perf_counter() - began, 2), now))

    client_id = presenting.present(request, client_id=presenting.new_client_id(), by=by).client_id
    row = follow.until_presented(client_id, by=by, watch=watch)
    wall_s, cpu_s = time.perf_counter() - began, _cpu_s(stack) - cpu
    row.refresh_from_db()
    job = row.job
    report = dict(job.report) if job else {}
    print(f"{selectors.presentation_state(row)} {row.code} {row.message}", file=sys.stderr)
    return {
        "id": client_id,
        "state": selectors.presentation_state(row),
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "frames": report.get("frames", 1),
        "video_s": report.get("frames", 1) / 25,
        "peak_mib": _peak_mib(stack),
        "states": states,
        "stage_ms": report.get("stage_ms"),
    }


def _family(stack: Any) -> Iterator[int]:
    """The worker and everything it started."""
    from likeness.stack import Part

    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    waiting = [stack.children[part].process.pid for part in (Part.WORKER, Part.BEAT, Part.SEQUENCER)]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += parents.get(pid, [])


def _cpu_s(stack: Any) -> float:
    """Processor seconds of the stack's processes, and of their children that ended."""
    spent = 0
    for pid in _family(stack):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        spent += sum(map(int, fields[11:15]))
    return spent / TICKS


def _peak_mib(stack: Any) -> float:
    peaks = [0.0]
    for pid in _family(stack):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        peaks += [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")]
    return max(peaks)


if __name__ == "__main__":
    sys.exit(main())
