"""The sequencer as a process of its own on a test's database: `python sequencer_process.py SETTINGS.json`."""

import json
import signal
import sys
import threading
from pathlib import Path

from django.conf import settings

if __name__ == "__main__":
    settings.configure(**json.loads(Path(sys.argv[1]).read_text()))
    from audit import sequencer

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    sequencer.run(stop, batch=20)
