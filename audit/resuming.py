"""How far a check has come, as a file; it holds the tree's edge, so that no table is trusted anew."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from audit import keys
from audit.errors import CheckStateError
from audit.merkle import HASH_BYTES
from audit.ranges import Problem
from audit.tiles import Edge


@dataclass(slots=True)
class Reached:
    """What a check knows: the tree so far, the last head that held, the first that did not, the problems."""

    origin: str
    edge: Edge
    agreed: int = 0
    broken: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many entries were checked."""
        return self.edge.size


def save(path: Path, reached: Reached) -> None:
    """Write the state; after a crash the file is the old or the new one, whole."""
    state = {
        "origin": reached.origin,
        "size": reached.size,
        "edge": [[item.hex() for item in row] for row in reached.edge.rows],
        "agreed": reached.agreed,
        "broken": reached.broken,
        "problems": [[problem.index, problem.what, problem.message] for problem in reached.problems],
    }
    keys.replace_file(path, json.dumps(state))


def load(path: Path, origin: str) -> Reached:
    """Read a state.

    Raises:
        CheckStateError: it is damaged, or of another log.
    """
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        rows = [[bytes.fromhex(item) for item in row] for row in state["edge"]]
        edge = Edge(int(state["size"]), rows)
        problems = [Problem(*problem) for problem in state["problems"]]
        reached = Reached(str(state["origin"]), edge, int(state["agreed"]), int(state["broken"]), problems)
        sound = all(len(item) == HASH_BYTES for row in rows for item in row)
        sound &= sum(len(row) << (8 * level) for level, row in enumerate(rows)) == edge.size
    except (ValueError, KeyError, TypeError) as error:
        raise CheckStateError(f"The state of the check {path} is damaged; remove it.") from error
    if not sound or reached.origin != origin:
        raise CheckStateError(f"The state of the check {path} is damaged or of another log; remove it.")
    return reached
