"""A witness as a small web server: `python -m audit.witness_http HOME`; no Django, no database server.

`POST /add-checkpoint` and `GET /<sha256 of the origin>/checkpoint` (https://c2sp.org/tlog-witness). TLS,
where it is wanted, is the proxy's in front.
"""

import argparse
import logging
import re
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType

from audit import witness
from audit.checkpoint import VerifierKey
from audit.errors import AuditError
from audit.witness import MAX_REQUEST_BYTES, Answer, Witness

LOCAL = "127.0.0.1"
SLOWEST_CLIENT_S = 10.0
AWAIT_KEY_S = 0.2
_MONITOR = re.compile(r"/([0-9a-f]{64})/checkpoint")
log = logging.getLogger(__name__)


class Server(ThreadingHTTPServer):
    """The web server of one witness."""

    daemon_threads = True

    def __init__(self, held: Witness, *, host: str = LOCAL, port: int = 0) -> None:
        self.held = held
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "likeness-witness", ""
    timeout = SLOWEST_CLIENT_S

    def do_POST(self) -> None:
        """add-checkpoint."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal() and len(length) < 10):
            self._answer(Answer(400, "The request needs a Content-Length.\n"), close=True)
        elif int(length) > MAX_REQUEST_BYTES:
            self._answer(Answer(400, f"The request is longer than {MAX_REQUEST_BYTES} bytes.\n"), close=True)
        elif self.path != "/add-checkpoint":
            self._answer(Answer(404, "There is nothing here.\n"), close=True)
        else:
            self._answer(self.server.held.add_checkpoint(self.rfile.read(int(length))))

    def do_GET(self) -> None:
        """What was cosigned last."""
        asked = _MONITOR.fullmatch(self.path)
        nothing = Answer(404, "There is nothing here.\n")
        self._answer(self.server.held.latest(asked[1]) if asked else nothing)

    def _answer(self, answer: Answer, *, close: bool = False) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """One line a request."""
        log.info("%s %s", self.address_string(), format % args)


def serve(home: Path, *, host: str, port: int, stop: threading.Event) -> None:
    """Answer until `stop` is set; HOME/url says where.

    Raises:
        WitnessError: the directory holds no usable witness.
    """
    held = Witness(home)
    server = Server(held, host=host, port=port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    (home / witness.URL_FILE).write_text(f"{server.url}\n", encoding="utf-8")
    log.info("the witness %s listens on %s", held.key.name, server.url)
    try:
        stop.wait()
    finally:
        server.shutdown()
        server.server_close()
        held.close()


def await_log(home: Path, published: Path, stop: threading.Event) -> None:
    """Trust the log whose key is published in a file, as soon as it is."""
    while not published.exists():
        if stop.wait(AWAIT_KEY_S):
            return
    witness.trust(home, VerifierKey.parse(published.read_text(encoding="utf-8").rstrip("\n")))


def main(arguments: list[str] | None = None) -> int:
    """Run one witness until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m audit.witness_http", description="Run a witness.")
    parser.add_argument("home", type=Path)
    parser.add_argument("--create", metavar="NAME", help="make a witness of this name if there is none")
    parser.add_argument("--host", default=LOCAL)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--follow", type=Path, help="trust the log whose key this file holds, once it is there"
    )
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.Formatter.converter = time.gmtime
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        if given.create and not (given.home / witness.KEY_FILE).exists():
            witness.create(given.home, name=given.create)
        if given.follow is not None:
            threading.Thread(target=await_log, args=(given.home, given.follow, stop), daemon=True).start()
        serve(given.home, host=given.host, port=given.port, stop=stop)
    except AuditError as error:
        log.error("%s %s", error, error.hint)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
