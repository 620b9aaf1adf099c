"""The figures of a run as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean

from tests.bench.attacks.erase import Erased
from tests.bench.attacks.marks import Outcome
from tests.bench.attacks.targets import Target
from tests.bench.attacks.tasks import Null, Table

HARMED_DB = 42.0
"""Design 9.4: an attacker who is left with less has spoiled the picture."""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _marks(tables: Sequence[Table]) -> list[str]:
    return list(dict.fromkeys(table.mark for table in tables))


def attack_table(tables: Sequence[Table], unit: str) -> str:
    """One row an attack, one column a mark: exact ids of all, and the least z or the mean bit accuracy."""
    marks = _marks(tables)
    rows, totals = [], dict.fromkeys(marks, 0)
    for attack in tables[0].outcomes:
        cells = []
        for mark in marks:
            outcomes = [table.outcomes[attack] for table in tables if table.mark == mark]
            totals[mark] += sum(outcome.exact for outcome in outcomes)
            cells.append(_cell(outcomes))
        rows.append([attack, *cells])
    counts = {mark: sum(len(t.outcomes) for t in tables if t.mark == mark) for mark in marks}
    rows.append(["**all**", *(f"**{totals[mark]} of {counts[mark]}**" for mark in marks)])
    heads = [f"{mark}, {unit}" if at == 0 else mark for at, mark in enumerate(marks)]
    return _table(["attack", *heads], rows)


def _cell(outcomes: Sequence[Outcome]) -> str:
    exact = sum(outcome.exact for outcome in outcomes)
    bold = "" if exact == len(outcomes) else "**"
    if any(outcome.decodes for outcome in outcomes) or any(outcome.z for outcome in outcomes):
        return f"{bold}{exact}/{len(outcomes)}{bold} (z {min(abs(outcome.z) for outcome in outcomes):.1f})"
    return f"{exact}/{len(outcomes)} ({mean(outcome.accuracy for outcome in outcomes):.2f})"


def quality_table(tables: Sequence[Table]) -> str:
    """What each mark costs the picture, and the file at CRF 23."""
    head = ["content", "mark", "PSNR luma / colour, dB", "SSIM", "flat rms p95 / p99", "octets at CRF 23"]
    rows = []
    for table in tables:
        q, size = table.quality, f"{100 * (table.size - 1):+.1f} %" if table.size != 1.0 else ""
        rows.append(
            [
                table.content,
                table.mark,
                f"{q.psnr:.1f} / {q.psnr_colour:.1f}",
                f"{q.ssim:.4f}",
                f"{q.flat_p95:.2f} / {q.flat_p99:.2f}",
                size,
            ]
        )
    return _table(head, rows)


def erase_table(named: Sequence[tuple[str, Sequence[Erased]]]) -> str:
    """Attacks without the key: what they leave of the id, and of the picture."""
    rows = [
        [attack.name, clip, _left(attack), f"{attack.z:.1f}", f"{attack.psnr:.1f}"]
        for clip, attacks in named
        for attack in attacks
    ]
    return _table(["attack without the key", "clip", "id", "z", "picture left, dB"], rows)


def _left(attack: Erased) -> str:
    if attack.exact:
        return "read"
    return "gone, picture spoiled" if attack.psnr < HARMED_DB else "**gone**"


def null_line(nulls: Sequence[Null]) -> str:
    """How many keys accepted an unmarked picture."""
    keys, accepted, hits = (
        sum(each) for each in zip(*((n.keys, n.accepted, n.byte_hits) for n in nulls), strict=True)
    )
    return (
        f"{keys} random keys on unmarked pictures, every one decoded: {accepted} accepted. The first eight "
        f"of the 40 tag bits fitted {hits} times; chance gives {keys / 256:.1f}. The bound of {keys} decodes "
        f"is {keys * 2.0**-40:.1e}."
    )


def speed_table(took: dict[str, float]) -> str:
    """Least CPU milliseconds at 1080p, and how many times slower than ours each is."""
    embed, read = took["embed, ours"], took.get("read, ours", 0.0)
    rows = []
    for name, ms in took.items():
        ours = embed if name.startswith("embed") else read
        rows.append([name, f"{ms:.1f}", f"{ms / ours:.1f}" if ours else ""])
    return _table(["1080p, one thread", "CPU ms, least", "times ours"], rows)


def target_table(targets: Sequence[Target]) -> str:
    """What was wanted, what came."""
    rows = [[t.what, t.wanted, t.got, "yes" if t.holds else "**no**"] for t in targets]
    return _table(["number", "wanted", "got", "holds"], rows)
