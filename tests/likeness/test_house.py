"""The shape of the house: names that must not be shadowed, and code that must stay plain."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PLAIN = (
    "generation.engine.types",
    "generation.engine.errors",
    "generation.engine.pipeline",
    "generation.engine.weights.registry",
    "generation.engine.faces.models",
    "generation.engine.swap.mesh",
    "generation.gate.rules",
    "generation.gate.permit",
    "watermark.payload",
    "watermark.invisible",
    "watermark.visible",
    "watermark.metadata",
    "watermark.c2pa",
    "watermark.detect",
    "watermark.contained",
    "watermark.overlay",
    "consent.licence",
    "audit.events",
    "audit.merkle",
    "audit.checkpoint",
    "audit.tiles",
    "audit.policy",
    "audit.bundle",
    "audit.verify",
)
BLOCKED = """
import importlib, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"django", "rest_framework", "celery", "kombu"}:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Block())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def test_platform_is_a_plain_folder():
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert not list((ROOT / "platform").glob("*.py"))


def test_import_platform_is_the_standard_librarys():
    done = run(
        "-c", "import platform, os; print(os.path.basename(platform.__file__), platform.python_version())"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "platform.py"


def test_plain_modules_import_without_django_and_celery():
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'platform')!r}]{BLOCKED}"
    done = run("-c", code, *PLAIN)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_block_itself_works():
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}]{BLOCKED}"
    assert run("-c", code, "generation.models").returncode != 0


@pytest.mark.parametrize("package", ["audit", "consent", "generation", "watermark", "platform/likeness"])
def test_package_inits_hold_one_docstring(package):
    for path in (ROOT / package).rglob("__init__.py"):
        if path == ROOT / "platform/likeness/__init__.py":
            continue  # exposes the Celery application
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        assert len(lines) <= 3, path
        assert not lines or lines[0].startswith('"""'), path


def test_only_env_reads_the_environment():
    # The media reader must set OpenCV's own limit before OpenCV is imported; it reads nothing.
    allowed = {ROOT / "platform/likeness/env.py", ROOT / "generation/engine/media/image.py"}
    found = [
        path
        for package in ("audit", "consent", "generation", "watermark", "platform")
        for path in (ROOT / package).rglob("*.py")
        if path not in allowed and re.search(r"\bos\.(environ|getenv|putenv)\b", path.read_text())
    ]
    assert not found


@pytest.mark.parametrize("lock", ["cpu", "gpu", "dev", "uv"])
def test_locks_are_pinned_by_hash_and_name_no_address(lock):
    text = (ROOT / "deploy/locks" / f"{lock}.txt").read_text()
    assert "://" not in text
    assert "file:" not in text
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert "==" in entry, entry
        assert "--hash=sha256:" in entry, entry


def test_manage_runs_uninstalled(tmp_path):
    done = run(str(ROOT / "manage.py"), "version", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
