"""How fast the API answers while a job runs, against the same API at rest.

    python -m tests.bench.bench_api [--home var] [--requests 80]

Needs a home in which `make demo` has run. Starts the whole stack on a free port, asks for lists and single
rows over HTTP with an API key, first with nothing to do, then while a generation runs. Wall milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx

from likeness.stack import free_port

ROOT = Path(__file__).resolve().parents[2]
PATHS = (
    "/api/v1/jobs/",
    "/api/v1/identities/",
    "/api/v1/consents/",
    "/api/v1/media/{media}/",
    "/api/v1/jobs/{job}/",
)
OPEN = {"admitting", "queued", "running", "sealing"}


def likeness(home: Path, *words: str) -> Any:
    """One command's JSON answer."""
    done = subprocess.run(
        [sys.executable, "-m", "likeness.cli.main", *words, "--json"],
        env=environment(home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a child that works in ``home``."""
    return {**os.environ, "LIKENESS_HOME": str(home), "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", **more}


def measure(client: httpx.Client, paths: list[str], count: int) -> dict[str, float]:
    """p50 and p95 in milliseconds of ``count`` answers, spread over the paths."""
    times = []
    for number in range(count):
        began = time.perf_counter()
        client.get(paths[number % len(paths)]).raise_for_status()
        times.append((time.perf_counter() - began) * 1000)
        time.sleep(0.14)  # below the throttle of 600 a minute
    cut = quantiles(times, n=100)
    return {"p50_ms": round(cut[49], 1), "p95_ms": round(cut[94], 1), "max_ms": round(max(times), 1)}


def submit(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """The same generation once more."""
    body = {name: job[name] for name in ("identity", "media", "purpose", "channel")}
    answer = client.post("/api/v1/jobs/", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    return dict(answer.raise_for_status().json())


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("var"))
    parser.add_argument("--requests", type=int, default=80)
    args = parser.parse_args()
    home, port = args.home.absolute(), free_port()
    key = likeness(home, "accounts", "key", "requester@demo.example")["key"]
    up = subprocess.Popen(
        [sys.executable, "-m", "likeness.cli.main", "up"],
        env=environment(home, LIKENESS_PORT=str(port)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {key}"}
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30, trust_env=False)
    try:
        await_up(client)
        done = client.get("/api/v1/jobs/", params={"state": "done"}).raise_for_status().json()["results"][0]
        paths = [path.format(media=done["media"], job=done["id"]) for path in PATHS]
        rest = measure(client, paths, args.requests)
        job = submit(client, done)
        while client.get(job["links"]["self"]).json()["state"] in ("admitting", "queued"):
            time.sleep(0.5)
        busy = measure(client, paths, args.requests)
        still = client.get(job["links"]["self"]).json()["state"] in OPEN
    finally:
        up.terminate()
        up.wait(timeout=30)
    ratio = round(busy["p95_ms"] / rest["p95_ms"], 2)
    print(
        json.dumps({"rest": rest, "job_running": busy, "ratio_p95": ratio, "ran_to_the_end": still}, indent=1)
    )


def await_up(client: httpx.Client) -> None:
    """Wait until the stack answers, a minute at most."""
    until = time.monotonic() + 60
    while True:
        try:
            if client.get("/healthz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > until:
            raise SystemExit("The stack did not come up.")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
