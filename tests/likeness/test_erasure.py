"""After one person was erased: the log is what it was, and nothing of the person is anywhere."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.db import connection, connections
from django.utils import translation

from audit import export, fsck, selectors, store, verify
from audit.merkle import leaf_hash, verify_inclusion
from audit.tiles import TileTree
from consent import erasure, services
from consent.models import Step
from generation.models import Job, Media, OutputPrint, Presentation
from likeness import provenance_search
from likeness.cli.main import main
from likeness.models import IdempotencyKey
from likeness.portal import report as reports
from likeness.provenance_query import Query
from tests.consent import fakes
from tests.likeness.conftest import JOB
from tests.likeness.test_provenance_evidence import CREDENTIAL, case, jpeg

__all__ = ["case"]  # a fixture
NAME, NUMBER = "王五", "11010519491231002X"
PICTURES = (b"the film", jpeg(90), jpeg(160), fakes.picture("wang"), b"\x89PNG preview")


@pytest.fixture
def known(case, settings):
    """The person's name and number stand wherever words can stand."""
    settings.LIKENESS_REVOCATION_HANDLERS = ["generation.services.withdraw"]
    story = case.story
    services.revoke(story.licence.id, reason=f"{NAME} {NUMBER} asked for it.", by=story.by["legal"])
    answer = json.dumps({"identity": story.person.id, "name": NAME}, ensure_ascii=False)
    IdempotencyKey.objects.create(tenant="demo", key="k", route="POST x", body_sha256="0" * 64, answer=answer)
    OutputPrint.objects.create(job=case.job, second=0, hash=1)
    Job.objects.filter(pk=case.job.pk).update(message=f"{NAME} is not to be seen.")
    present(story, f"我是{NAME}，证件号{NUMBER}。")
    return case


def present(story, script):
    """A presentation of the person, with the file of its subtitles."""
    return Presentation.objects.create(
        tenant="demo", client_id="one", request_sha256="1" * 64, requester=story.by["requester"].id,
        identity_id=story.person.id, performer_id="idn_0", script=script, kind="text", language="zh",
        voice="sample-zh", purpose="p", channel="c", territory="CN", nonce="0" * 32, message=script,
        scene={"format": "preview", "variables": {"name": NAME}}, report={"speech": NAME},
        hits=[{"code": NAME}],
        srt_sha256=storages["blobs"].put(io.BytesIO(script.encode())),
    )  # fmt: skip


TABLES = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
SCAN = 'SELECT count(*) FROM "{}"."{}" t WHERE t::text LIKE %s'


def found_in_tables(*needles: str) -> list[str]:
    """Every table that holds one of the texts: as text, as bytes, or escaped in JSON."""
    found = set()
    with connections["owner"].cursor() as cursor:
        cursor.execute(TABLES)
        tables = [row for row in cursor.fetchall() if row[0] not in {"pg_catalog", "information_schema"}]
        assert len(tables) > 25
        for table in tables:
            for needle in needles:
                escaped = json.dumps(needle).strip('"').replace("\\", "\\\\")
                for text in (needle, needle.encode().hex(), escaped):
                    cursor.execute(SCAN.format(*table), [f"%{text}%"])
                    if cursor.fetchone()[0]:
                        found.add(f"{table[1]}: {needle}")
    return sorted(found)


def found_in_files(folder: Path, *needles: bytes) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file() and "weights" not in path.parts]
    return sorted(str(path) for path in files if any(needle in path.read_bytes() for needle in needles))


def proofs(entries):
    head = selectors.checkpoint()
    with connection.cursor() as cursor:
        tree = TileTree(head.size, store.reader(cursor))
        for entry in entries:
            root = bytes.fromhex(head.root)
            verify_inclusion(entry.index, head.size, leaf_hash(entry.body), tree.inclusion(entry.index), root)
    return len(entries)


def test_the_scan_itself_finds_what_is_planted(known, home):
    assert {line.split(":")[0] for line in found_in_tables(NAME, NUMBER)} == {
        "consent_consent",
        "consent_identity",
        "consent_step",
        "generation_job",
        "generation_presentation",
        "likeness_idempotencykey",
    }
    assert len(found_in_files(home, *PICTURES)) == 3
    assert len(found_in_files(home, NAME.encode())) == 1


def test_the_log_is_what_it_was_and_nothing_of_the_person_is_left(known, home, tmp_path):
    before = selectors.checkpoint()
    entries = selectors.latest(100)
    bundle, _entries = known.make()
    done = erasure.erase(known.story.person.id, by=known.story.by["legal"])
    assert (done.documents, done.outputs, done.details) == (1, 4, 1)

    # The log: the same tree, and everything in it still proves.
    erased = next(entry for entry in wait_for("subject.erased") if entry.type == "subject.erased")
    assert erased.event["identity"] == known.story.person.id
    with connection.cursor() as cursor:
        assert TileTree(before.size, store.reader(cursor)).root().hex() == before.root
    assert proofs(entries) == len(entries)
    assert not list(fsck.check())
    report = verify.verify(str(bundle), vkey=str(selectors.log_key()), pinned=before.note)
    assert report["error"] == "" or "no consistency proof" in report["error"]

    # The person: nowhere.
    assert not OutputPrint.objects.exists()
    assert found_in_tables(NAME, NUMBER) == []
    assert found_in_files(home, *PICTURES) == []
    assert found_in_files(home, NAME.encode(), NUMBER.encode()) == []

    # What is made from now on.
    after, _entries = known.make(pinned=before.note)
    assert (
        verify.verify(str(after), vkey=str(selectors.log_key()), pinned=before.note)["result"] == "verified"
    )
    export.export(tmp_path / "export")
    assert found_in_files(tmp_path / "export", NAME.encode(), NUMBER.encode()) == []
    with zipfile.ZipFile(after) as archive:
        texts = [archive.read(name) for name in archive.namelist()]
        assert CREDENTIAL in texts, "the credential names nobody"
    assert not [text for text in texts if NAME.encode() in text or NUMBER.encode() in text]


def wait_for(kind):
    import time

    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = selectors.latest(20)
        if any(entry.type == kind for entry in found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{kind} never came")


def test_the_report_of_an_erased_person_names_and_shows_nobody(known):
    erasure.erase(known.story.person.id, by=known.story.by["legal"])
    shown = []

    def watched(told):
        for language in reports.LANGUAGES.values():
            shown.append(reports.document(told, language=language))
        return {}

    known.make(reports=watched)
    assert [list(document.pictures) for document in shown] == [[], []]
    text = repr(shown)
    assert NAME not in text
    with translation.override("zh-hans"):
        assert "已删除" in text
    assert "erased" in text


def test_the_person_is_found_by_pseudonym_only(known):
    erasure.erase(known.story.person.id, by=known.story.by["legal"])
    wait_for("subject.erased")
    auditor = known.auditor
    assert provenance_search.search(Query(person=NAME), by=auditor).hits == ()
    assert provenance_search.search(Query(photo=fakes.picture("wang")), by=auditor).people == ()
    hits = provenance_search.search(Query(person=known.story.person.subject), by=auditor).hits
    assert {"identity.enrolled", "subject.erased"} <= {hit.entry.type for hit in hits}


def test_another_persons_things_stay(known):
    erasure.erase(known.story.person.id, by=known.story.by["legal"])
    other = known.story.other
    other.refresh_from_db()
    assert other.name == "李四"
    assert other.portraits.count() == 1
    assert IdempotencyKey.objects.get().answer == "{}"


def test_a_file_that_another_job_shows_stays(known, home):
    known.job.refresh_from_db()
    values = {"id": None, "mark_id": "f" * 16, "admission_index": 999_999, "identity_id": "idn_" + "0" * 16}
    fields = {field.name: getattr(known.job, field.name) for field in Job._meta.fields} | values
    del fields["id"], fields["decision_event"]
    Job.objects.create(**fields | {"consent_id": "con_" + "0" * 16})
    erasure.erase(known.story.person.id, by=known.story.by["legal"])
    assert len(found_in_files(home, *PICTURES)) == 3


def test_subtitles_that_another_persons_video_has_too_stay(known, home):
    mine = Presentation.objects.get()
    Presentation.objects.create(
        tenant="demo", client_id="two", request_sha256="2" * 64, requester=mine.requester,
        identity_id="idn_1", performer_id="idn_0", script="您好。", kind="text", language="zh",
        voice="sample-zh", purpose="p", channel="c", territory="CN", nonce="0" * 32,
        srt_sha256=mine.srt_sha256,
    )  # fmt: skip
    erasure.erase(known.story.person.id, by=known.story.by["legal"])
    assert Presentation.objects.get(client_id="two").script == "您好。"
    assert len(found_in_files(home, NAME.encode())) == 1


def test_a_performers_film_goes_even_when_the_gate_refused_it(known, home):
    film = storages["blobs"].put(io.BytesIO(b"a film of the performer"))
    media = Media.objects.create(tenant="demo", sha256=film, bytes=23, kind="video", uploader="usr")
    job = Job.objects.create(
        tenant="demo", requester="usr", state="refused", code="face.review", identity_id="idn_1", media=media,
        purpose="p", channel="c", territory="CN", language="zh",
    )  # fmt: skip
    Presentation.objects.update(identity_id="idn_1", performer_id=known.story.person.id, job=job)
    erasure.erase(known.story.person.id, by=known.story.by["legal"])
    assert found_in_files(home, b"a film of the performer") == []


def test_the_command_erases_for_good(known, monkeypatch, capsys):
    monkeypatch.setattr("likeness.cli.consent.open_platform", lambda: None)
    with pytest.raises(SystemExit):
        main(["erase", known.story.person.id])
    assert main(["erase", known.story.person.id, "--for-good", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["portraits"] == 1
    assert not Step.objects.exclude(reason="").exists()
    assert known.job.id.hex == JOB


def test_the_pages_of_an_erased_person_say_so(known, people):
    from django.test import Client
    from django.urls import reverse

    person, licence = known.story.person, known.story.licence
    erasure.erase(person.id, by=known.story.by["legal"])
    client = Client()
    client.force_login(people["legal"])
    page = client.get(reverse("consent-detail", args=[licence.id])).content.decode()
    assert "The person was erased" in page
    assert "not the one that was signed" not in page
    for name, which in (("consent-list", []), ("identity-list", []), ("identity-detail", [person.id])):
        assert person.id in client.get(reverse(name, args=which)).content.decode()
