"""A real backup that is made after an erasure: nothing of the person is in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from django.conf import settings

from consent import erasure, faces, services
from likeness.embedded.programs import programs
from tests.consent import fakes

NAME, NUMBER = "欧阳明珠", "110101199003077774"
WORDS = f"{NAME} asked for it, identity card {NUMBER}"


def backup(postgres, database):
    """What an operator's backup holds: pg_dump of the whole database, as its owner, and every stored file."""
    program = programs(postgres.user) / "pg_dump"
    dump = [str(program), "--no-password", "--dbname", postgres.conninfo(database)]
    done = subprocess.run(dump, check=True, capture_output=True)
    assert b"PostgreSQL database dump complete" in done.stdout
    blobs = Path(settings.LIKENESS_HOME) / "blobs"
    return {"dump": done.stdout} | {
        str(file): file.read_bytes() for file in blobs.rglob("*") if file.is_file()
    }


def found(secrets, files):
    """The secrets that are in a file: as they are, as the hex of a bytea, or escaped in JSON."""
    return {
        name
        for name, plain in secrets.items()
        for form in (plain, plain.hex().encode(), plain.decode("latin-1").encode("unicode_escape"))
        if any(form in data for data in files.values())
    }


def planted():
    pictures = [fakes.picture("ouyang", number) + f" plate-{NUMBER}-{number}".encode() for number in range(2)]
    vectors = [fakes.vector("ouyang", number) for number in range(2)]
    secrets = {
        "name": NAME.encode(),
        "name in JSON": NAME.encode("unicode_escape"),
        "number": NUMBER.encode(),
        "words": b"asked for it",
        "intended use": "网点屏幕".encode(),
    }
    secrets |= {f"picture {number}": data for number, data in enumerate(pictures)}
    secrets |= {f"embedding {number}": faces.vector_bytes(data) for number, data in enumerate(vectors)}
    return pictures, secrets


def test_a_backup_made_afterwards_holds_nothing_of_the_person(live_database, postgres, world):
    pictures, secrets = planted()
    by = world.by
    person = services.enrol(
        name=NAME, status="living", kind="likeness", portraits=pictures, by=by["requester"]
    )
    rejected = world.submit(person, signed_by=NAME)
    services.reject(rejected.id, reason=WORDS, by=by["legal"])
    row = world.activate(person, signed_by=NAME)
    before = backup(postgres, live_database)
    assert found(secrets, before) == {"name", "number", "words", "intended use"}, "what the scan must find"
    erasure.erase(person.id, by=by["legal"])
    after = backup(postgres, live_database)
    assert found(secrets, after) == set()
    assert person.subject.encode() in after["dump"], "the pseudonym of the log is still there"
    assert row.document_sha256.encode() in after["dump"]
    assert (len(before) - 1, len(after) - 1) == (4, 0), "every stored ciphertext is gone too"
