"""A table of scripts, from its upload to downloaded videos: one row is refused for its wording.

The usual suite runs three rows. The whole table, eleven rows with ten videos, runs when it is asked for:

    LIKENESS_TEST_TABLE=10 python -m pytest tests/browser/test_table.py
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from likeness import processes
from watermark.metadata import read_label

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.slow]  # each video is seconds of work
VIDEOS = int(os.environ.get("LIKENESS_TEST_TABLE", "2"))
VIDEO_S = 120
SCRIPTS = (
    "您好，请取号。",
    "请到一号窗口。",
    "请出示证件。",
    "请您稍候片刻。",
    "本网点九点开门。",
    "请保管好银行卡。",
    "请您核对金额。",
    "办好了，再见。",
    "您的业务已受理。",
    "请勿告诉他人密码。",
)
REFUSED = "本产品保本保息。"
LOOK = """
import json, sys
from pathlib import Path
import django
django.setup()
from likeness.provenance_look import look
for name in sys.argv[1:]:
    named = look(Path(name), tenant="demo").named
    print(json.dumps({layer: job and str(job.pk) for layer, job in named.items()}))
"""


def write_table(path: Path) -> Path:
    """As many scripts as videos are wanted, and in their middle one that promises a return."""
    scripts = list(SCRIPTS[:VIDEOS])
    scripts.insert(VIDEOS // 2, REFUSED)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "script", "format"])
        table.writerows(
            [f"row-{number}", script, "preview"] for number, script in enumerate(scripts, start=1)
        )
    return path


def named_by(site, paths: list[Path]) -> list[dict[str, str | None]]:
    """For each file the job that every layer of it names: credential, label, invisible mark, sound."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *map(str, paths)],
        env=processes.environment(site.home, port=int(site.url.rpartition(":")[2])),
        check=True,
        capture_output=True,
        text=True,
        timeout=60 * len(paths),
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(120 + 2 * VIDEO_S * (VIDEOS + 1))
def test_every_row_but_the_refused_one_becomes_a_marked_video_of_its_own(site, arrive, cast, tmp_path):
    person = arrive("requester")
    person.open("/studio/table/")
    person.fill("table", str(write_table(tmp_path / "scripts.csv")))
    person.choose("identity", "Teller")
    person.choose("performer", "Performer")
    person.press("Make the videos")

    assert person.sees(f"of {VIDEOS + 1} ready · 1 without a video", timeout_s=60)
    assert person.sees("This promises a return")
    WebDriverWait(person.driver, VIDEO_S * VIDEOS).until(
        lambda driver: not driver.find_elements(By.CSS_SELECTOR, "table.batch progress")
    )
    rows = person.driver.find_elements(By.CSS_SELECTOR, "table.batch tbody tr")
    assert not [row.text for row in rows if "Ready" not in row.text and REFUSED not in row.text]
    assert person.sees(f"{VIDEOS} of {VIDEOS + 1} ready · 1 without a video")
    refused = [row for row in rows if REFUSED in row.text]
    assert [row for row in rows if "Rejected" in row.text] == refused
    assert len(refused) == 1
    links = [
        row.find_element(By.CSS_SELECTOR, "td a").get_attribute("href") for row in rows if row not in refused
    ]

    files, jobs = [], []
    for number, link in enumerate(links):
        person.driver.get(link)
        files.append(tmp_path / f"{number}.mp4")
        person.take(files[-1])
        job = person.driver.find_element(By.ID, "job").get_attribute("href")
        jobs.append(job.rstrip("/").rpartition("/")[2])
    assert len(set(jobs)) == VIDEOS
    for path, job, layers in zip(files, jobs, named_by(site, files), strict=True):
        assert read_label(path).label.label == "1"
        assert {"sha256", "c2pa", "invisible", "aigc"} <= set(layers)
        assert set(layers.values()) == {job}
    assert not person.complaints()
