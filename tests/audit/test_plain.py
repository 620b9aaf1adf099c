import subprocess
import sys
from pathlib import Path

import pytest

from audit import bundle

ROOT = Path(__file__).parents[2]
PLAIN = (
    *("bundle", "checkpoint", "errors", "events", "keys", "leaf", "merkle", "policy", "store", "tiles"),
    *("transit", "verify", "witness", "witness_http"),
)
BLOCK = """
import importlib, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"django", "rest_framework", "celery", "psycopg"}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocked())
sys.path.insert(0, sys.argv[1])
importlib.import_module("audit." + sys.argv[2])
"""


@pytest.mark.parametrize("module", PLAIN)
def test_plain_module_needs_no_framework(module):
    command = [sys.executable, "-c", BLOCK, str(ROOT), module]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_verifier_needs_the_standard_library_only(tmp_path):
    script = tmp_path / "verify.py"
    script.write_text(bundle.verifier(), encoding="utf-8")
    command = [sys.executable, "-S", "-I", str(script), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
