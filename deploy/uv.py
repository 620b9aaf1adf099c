"""Run uv with the package index, extra wheels and certificates that pip is configured with.

uv does not read pip.conf or PIP_*; a site behind a mirror has only these. What the environment says to uv
itself is left alone.

    python deploy/uv.py UV_DIRECTORY pip sync ...
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

_LINE = re.compile(r"^[^=]*?([a-z-]+)=(.*)$")


def pip_settings() -> dict[str, str]:
    """Give pip's options, the environment's over the files'."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    found: dict[str, str] = {}
    for line in listed.splitlines():  # files first, the environment last
        if match := _LINE.match(line):
            found[match[1]] = str(ast.literal_eval(match[2]))
    return found


def for_uv(pip: dict[str, str]) -> dict[str, str]:
    """Say the same to uv."""
    made: dict[str, str] = {}
    if index := pip.get("index-url"):
        made["UV_DEFAULT_INDEX"] = index
    remote = [url for url in pip.get("extra-index-url", "").split() if url.startswith("http")]
    if remote:
        made["UV_INDEX"] = " ".join(remote)
    places = [place for place in pip.get("find-links", "").split() if "://" in place or Path(place).is_dir()]
    if places:
        made["UV_FIND_LINKS"] = ",".join(places)
    if certificates := pip.get("cert"):
        made["SSL_CERT_FILE"] = certificates
    return made


def main() -> None:
    """Become uv."""
    program = Path(sys.argv[1]) / "uv"
    os.execve(program, [str(program), *sys.argv[2:]], {**for_uv(pip_settings()), **os.environ})  # noqa: S606


if __name__ == "__main__":
    main()
