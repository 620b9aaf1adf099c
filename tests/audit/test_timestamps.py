"""Timestamps of an authority that runs here: `openssl ts` behind a small web server."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import threading
import zipfile
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from celery.exceptions import Retry
from django.db import DatabaseError, connections, transaction
from django.test import Client
from rest_framework.test import APIClient

from audit import (
    checkpoint,
    export,
    merkle,
    selectors,
    sequencer,
    services,
    signer,
    stamping,
    tasks,
    timestamps,
)
from audit.checkpoint import decode
from audit.errors import ProofError, TimestampError, TimestampUnavailableError
from audit.events import Actor, GateDecided
from audit.sequencer import Sequencer
from likeness.cli import audit as audit_cli
from likeness.cli.main import main

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
ACTOR = Actor("usr_0123456789abcdef", "demo")
EXTENSIONS = "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"
CONFIGURATION = """
[tsa]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


def openssl(*words, check=True, **options):
    return subprocess.run(
        ["openssl", *map(str, words)], check=check, capture_output=True, timeout=60, **options
    )


P_256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def found_authority(folder, *, key=P_256, extensions=EXTENSIONS):
    """A root, and the certificate of an authority under it."""
    folder.mkdir()
    new = ("req", "-newkey", *key, "-nodes")
    root = ("-keyout", folder / "root.key", "-out", folder / "root.pem")
    openssl(*new, "-x509", "-days", "9", "-subj", "/CN=Test root", *root)
    openssl(*new, "-subj", "/CN=Test TSA", "-keyout", folder / "tsa.key", "-out", folder / "tsa.csr")
    (folder / "extensions").write_text(extensions)
    under = ("-CA", folder / "root.pem", "-CAkey", folder / "root.key", "-CAcreateserial", "-days", "9")
    given = ("-in", folder / "tsa.csr", "-extfile", folder / "extensions", "-out", folder / "tsa.pem")
    openssl("x509", "-req", *under, *given)
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
    return folder


def reply(folder, query):
    """What the authority answers, as DER."""
    (folder / "query.tsq").write_bytes(query)
    given = ("-config", folder / "tsa.cnf", "-section", "tsa", "-queryfile", folder / "query.tsq")
    openssl("ts", "-reply", *given, "-out", folder / "reply.tsr")
    return (folder / "reply.tsr").read_bytes()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.headers["Content-Type"], asked))
        status, headers, body = self.server.answer(asked)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return found_authority(tmp_path_factory.mktemp("tsa") / "ours")


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    return found_authority(tmp_path_factory.mktemp("tsa") / "theirs")


@pytest.fixture
def authority(folder, settings):
    """An authority that the settings name; `answer` may be replaced, `asked` is what came."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.answer = lambda query: (200, {"Content-Type": "application/timestamp-reply"}, reply(folder, query))
    server.asked = []
    server.url = f"http://127.0.0.1:{server.server_address[1]}/tsr"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    settings.LIKENESS_TSA_URL = server.url
    settings.LIKENESS_TSA_ROOTS = str(folder / "root.pem")
    yield server
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


def sequence(*batches):
    with sequencer.connect() as connection:
        writer = Sequencer(connection, signer=signer.local())
        writer.start()
        for count in batches:
            with transaction.atomic():
                for number in range(count):
                    event = GateDecided(job=f"job-{number}", stage="submit", decision="refuse")
                    services.append(event, actor=ACTOR)
            writer.step(1000)
            writer.publish()


def rows():
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_timestamp")
        return cursor.fetchone()[0]


@pytest.fixture
def log(live_database, home):
    sequence(4)


def openssl_verifies(folder, token, data, place):
    (place / "data").write_bytes(data)
    (place / "token.tsr").write_bytes(token)
    given = ("-data", place / "data", "-in", place / "token.tsr", "-CAfile", folder / "root.pem")
    return openssl("ts", "-verify", *given, check=False).returncode == 0


def test_newest_head_is_stamped_once_and_openssl_agrees(log, authority, folder, strangers, tmp_path):
    assert tasks.stamp() == 5
    assert tasks.stamp() == 0
    assert [kind for kind, _ in authority.asked] == ["application/timestamp-query"]
    (found,) = selectors.timestamps(5)
    note = found.note.encode()
    checkpoint.open_checkpoint(found.note, selectors.log_key())
    assert (found.size, found.authority) == (5, authority.url)
    assert abs(found.time - datetime.now(UTC)) < timedelta(minutes=1)
    assert openssl_verifies(folder, found.token, note, tmp_path)
    assert not openssl_verifies(folder, found.token, note + b"x", tmp_path)
    assert not openssl_verifies(strangers, found.token, note, tmp_path)
    by = stamping.configured()
    assert timestamps.verify(found.token, note, by.roots).time == found.time
    sequence(2)
    assert (tasks.stamp(), rows()) == (7, 2)
    assert [selectors.stamped(index, within=7) for index in (0, 4, 5, 6, 7)] == [5, 5, 7, 7, 0]
    assert (selectors.stamped(5, within=6), selectors.timestamps(6)) == (0, [])


def test_list_says_which_tokens_hold(log, authority, folder, strangers, settings, people, tmp_path):
    assert tasks.stamp() == 5
    sequence(2)
    assert tasks.stamp() == 7
    assert [found.size for found in selectors.stamps(9)] == [7, 5]
    assert [found.size for found in selectors.stamps(9, 7)] == [5]
    client = APIClient()
    assert client.get("/api/v1/audit/timestamps").status_code in {401, 403}
    client.force_authenticate(people["auditor"])
    first, second = client.get("/api/v1/audit/timestamps").json()["results"]
    assert (first["size"], first["state"], second["state"]) == (7, "verified", "verified")
    token = base64.b64decode(first["token"])
    assert openssl_verifies(folder, token, first["note"].encode(), tmp_path)
    states = [(str(strangers / "root.pem"), "invalid"), ("", "unchecked")]
    for roots, state in states:
        settings.LIKENESS_TSA_ROOTS = roots
        assert {row["state"] for row in client.get("/api/v1/audit/timestamps").json()["results"]} == {state}
    settings.LIKENESS_TSA_URL = "http://other.example/tsr"
    assert stamping.state(token, first["note"], first["authority"]) == "unchecked"


def test_head_is_stamped_and_listed_by_command_and_shown_in_the_portal(
    log, authority, settings, people, monkeypatch, capsys
):
    monkeypatch.setattr(audit_cli, "open_platform", lambda: None)

    def run(*words):
        code = main(["audit", *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    assert run("stamp") == (0, {"size": 5, "authority": authority.url})
    assert run("stamp")[1]["size"] == 0
    (row,) = run("stamps")[1]["timestamps"]
    assert (row["size"], row["state"]) == (5, "verified")
    browser = Client()
    browser.force_login(people["auditor"])
    html = browser.get("/record/timestamps/").content.decode()
    assert authority.url in html
    assert "Verified" in html
    with zipfile.ZipFile(io.BytesIO(browser.get("/record/timestamps/5/").content)) as archive:
        assert archive.namelist() == ["5.checkpoint", "5.tsr"]
    assert browser.get("/record/timestamps/4/").status_code == 404
    assert authority.url in browser.get("/record/").content.decode()
    settings.LIKENESS_TSA_URL = ""
    assert run("stamp")[0] == 1
    assert "No authority is configured" in browser.get("/record/timestamps/").content.decode()


def test_without_an_authority_nothing_is_sent(log, authority, settings):
    settings.LIKENESS_TSA_URL = ""
    assert (tasks.stamp(), authority.asked, rows()) == (0, [], 0)


def test_log_without_a_head_is_not_stamped(live_database, home, authority):
    assert (tasks.stamp(), authority.asked) == (0, [])


def test_only_the_sequencer_stores_timestamps(log, subtests):
    statement = "INSERT INTO audit_timestamp VALUES (%s, %s, %s, now())"
    cases = [
        ("default", (5, "http://tsa", b"token"), "denied"),
        ("auditor", (5, "http://tsa", b"token"), "denied"),
        ("sequencer", (99, "http://tsa", b"token"), "foreign key"),
        ("sequencer", (5, "", b"token"), "check constraint"),
        ("sequencer", (5, "http://tsa", b""), "check constraint"),
        ("sequencer", (5, "http://tsa", bytes(65_537)), "check constraint"),
    ]
    for alias, values, message in cases:
        with (
            subtests.test(alias=alias, message=message),
            connections[alias].cursor() as cursor,
            pytest.raises(DatabaseError, match=message),
        ):
            cursor.execute(statement, values)
    assert rows() == 0


def other_bytes(folder, place):
    """An answer about other bytes, with no nonce to betray it."""
    openssl("ts", "-query", "-data", folder / "root.pem", "-sha256", "-cert", "-out", place / "other.tsq")
    return reply(folder, (place / "other.tsq").read_bytes())


def test_wrong_answers_are_refused_and_not_stored(log, authority, folder, strangers, tmp_path, subtests):
    good = authority.answer
    other = other_bytes(folder, tmp_path)
    replayed = reply(folder, timestamps_query(selectors.checkpoint().note.encode()))
    rejected = reply(folder, b"not a query")
    cases = {
        "other bytes": (always(200, other), "on other bytes"),
        "an older answer": (always(200, replayed), "Nonce"),
        "another root": (lambda query: (200, {}, reply(strangers, query)), "does not hold"),
        "rejected": (always(200, rejected), "refused, with status 2"),
        "garbage": (always(200, b"<html>hello</html>"), "not an RFC 3161 answer"),
        "nothing": (always(200, b""), "not an RFC 3161 answer"),
        "cut": (lambda query: (200, {}, good(query)[2][:-1]), "not an RFC 3161 answer"),
        "followed by more": (lambda query: (200, {}, good(query)[2] + b"x"), "not an RFC 3161 answer"),
        "one bit": (lambda query: (200, {}, flipped(good(query)[2])), "does not hold|not an RFC 3161"),
        "endless": (always(200, bytes(70_000)), "more than 65536"),
        "redirect": (always(302, b"", Location=authority.url), "302; redirects are not"),
        "not found": (always(404, b""), "answered 404"),
    }
    for name, (answer, message) in cases.items():
        with subtests.test(name), sequencer.connect() as connection:
            authority.answer, authority.asked = answer, []
            with pytest.raises(TimestampError, match=message) as caught:
                stamping.stamp_newest(connection, stamping.configured())
            assert not isinstance(caught.value, TimestampUnavailableError)
            assert (len(authority.asked), rows()) == (1, 0)


def always(status, body, **headers):
    return lambda query: (status, headers, body)  # noqa: ARG005 - the same whatever is asked


def flipped(data):
    return data[:-10] + bytes([data[-10] ^ 1]) + data[-9:]


def timestamps_query(message):
    builder = timestamps.TimestampRequestBuilder().data(message)
    return builder.hash_algorithm(timestamps.HashAlgorithm.SHA256).build().as_bytes()


def test_token_of_another_time_is_refused(log, authority, monkeypatch):
    monkeypatch.setattr(timestamps, "SKEW", timedelta(seconds=-1))
    with pytest.raises(TimestampError, match="which is not now"):
        tasks.stamp()
    assert rows() == 0


def test_authority_that_is_down_is_asked_again(log, authority, settings, monkeypatch, subtests):
    asked_again = []

    def retry(**options):
        asked_again.append(options)
        return Retry()

    monkeypatch.setattr(tasks.stamp, "retry", retry)
    for status in (429, 500, 503):
        with subtests.test(status):
            authority.answer = always(status, b"")
            with pytest.raises(Retry):
                tasks.stamp()
    with subtests.test("no server"):
        settings.LIKENESS_TSA_URL = "http://127.0.0.1:1/tsr"
        with pytest.raises(Retry):
            tasks.stamp()
    assert (len(asked_again), rows()) == (4, 0)
    assert all(isinstance(options["exc"], TimestampUnavailableError) for options in asked_again)


BAD_SETTINGS = {
    "no scheme": ("tsa.example/tsr", None),
    "a file": ("file:///etc/passwd", None),
    "no host": ("http:///tsr", None),
    "a password": ("http://me:secret@127.0.0.1/tsr", None),
    "a query": ("http://127.0.0.1/tsr?key=secret", None),
    "a bad port": ("http://127.0.0.1:99999/tsr", None),
    "no roots": (None, ""),
    "roots missing": (None, "/nowhere/root.pem"),
    "roots a key": (None, "tsa.key"),
}


def test_settings_that_cannot_work_send_nothing(log, authority, folder, settings, subtests):
    for name, (url, roots) in BAD_SETTINGS.items():
        with subtests.test(name):
            settings.LIKENESS_TSA_URL = url or authority.url
            settings.LIKENESS_TSA_ROOTS = str(folder / "root.pem")
            if roots is not None:
                settings.LIKENESS_TSA_ROOTS = str(folder / roots) if roots == "tsa.key" else roots
            with pytest.raises(TimestampError, match=r"LIKENESS_TSA|certificates") as caught:
                tasks.stamp()
            assert "secret" not in str(caught.value)
    assert (authority.asked, rows()) == ([], 0)


def unpacked(path, place):
    with zipfile.ZipFile(path) as archive:
        archive.extractall(place)
        return sorted(name for name in archive.namelist() if name.startswith("tokens/"))


def test_bundle_holds_the_stamped_head_and_ties_it_to_its_own(log, authority, folder, tmp_path):
    assert tasks.stamp() == 5
    sequence(3)
    export.bundle(tmp_path / "evidence.zip", indexes=[1, 2, 6])
    names = unpacked(tmp_path / "evidence.zip", tmp_path)
    assert names == ["tokens/5.checkpoint", "tokens/5.consistency.txt", "tokens/5.tsr"]
    given = ("-data", "tokens/5.checkpoint", "-in", "tokens/5.tsr", "-CAfile", folder / "root.pem")
    assert b"Verification: OK" in openssl("ts", "-verify", *given, cwd=tmp_path).stdout
    kept = checkpoint.open_checkpoint((tmp_path / "tokens/5.checkpoint").read_text(), selectors.log_key())
    head = checkpoint.open_checkpoint((tmp_path / "checkpoint").read_text(), selectors.log_key())
    top, _, note = (tmp_path / "tokens/5.consistency.txt").read_text().partition("\n\n")
    old, *hashes = top.split("\n")
    assert (old, note) == ("old 5", (tmp_path / "checkpoint").read_text())
    merkle.verify_consistency(
        5, head.size, kept.root, head.root, [decode(item, ProofError) for item in hashes]
    )
    assert "openssl ts -verify" in (tmp_path / "README.txt").read_text()


def test_bundle_of_a_stamped_head_needs_no_consistency_proof(log, authority, tmp_path):
    assert tasks.stamp() == 5
    export.bundle(tmp_path / "evidence.zip", indexes=[1])
    assert unpacked(tmp_path / "evidence.zip", tmp_path) == ["tokens/5.checkpoint", "tokens/5.tsr"]
    export.bundle(tmp_path / "again.zip", indexes=[1])
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "evidence.zip").read_bytes()


def test_bundle_without_a_timestamp_holds_no_tokens(log, tmp_path):
    export.bundle(tmp_path / "evidence.zip", indexes=[1])
    assert unpacked(tmp_path / "evidence.zip", tmp_path) == []
