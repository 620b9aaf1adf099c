"""The local witness in the real local stack, where nobody configured anything."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from likeness import processes, stack
from likeness.stack import Part, Stack


def status(home):
    command = [sys.executable, "-m", "likeness.cli.main", "witness", "status", "--json"]
    environment = processes.environment(home, port=1)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_fresh_stack_is_witnessed_by_its_second_identity_and_says_whose_it_is():
    with tempfile.TemporaryDirectory(prefix="lk-wi-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        home = folder / "home"
        with Stack(home, parts=(Part.SEQUENCER, Part.WITNESS), port=stack.free_port()):
            until = time.monotonic() + 60
            while (found := status(home)).get("size") != 1:
                assert time.monotonic() < until, found
                time.sleep(0.5)
        assert (found["quorum"], found["frozen"], found["stale"]) == ("demo", False, False)
        [witness] = found["witnesses"]
        assert witness["same_operator"]
        assert "same operator" in (home / "log.policy").read_text()
        assert (home / "witness" / "witness.key").stat().st_mode & 0o077 == 0
