from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.db import ProgrammingError, connection, connections, transaction

from likeness.accounts.models import User

FIRST = "first@demo.example"


def role(alias: str = "default") -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute("select current_user")
        return str(cursor.fetchone()[0])


def test_db_runs_as_the_application(db):
    assert role() == "likeness_app"


@pytest.mark.django_db
@pytest.mark.parametrize("turn", [1, 2])
def test_db_rolls_back_what_a_test_wrote(turn):
    assert not User.objects.filter(email=FIRST).exists()
    User.objects.create(email=FIRST, tenant="demo")


def test_db_refuses_the_application_to_alter_tables(db):
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="must be owner"):
        cursor.execute("alter table accounts_user add column more int")


@pytest.mark.parametrize("turn", [1, 2])
def test_live_database_commits_for_this_test_alone(turn, live_database):
    assert not User.objects.exists()
    with transaction.atomic():
        User.objects.create(email=FIRST, tenant="demo")
    connection.close()
    assert User.objects.get().email == FIRST
    assert connection.settings_dict["NAME"] == live_database


def test_live_database_has_every_role(live_database):
    found = {alias: role(alias) for alias in ("default", "owner", "sequencer", "auditor")}
    assert found == {
        "default": "likeness_app",
        "owner": "postgres",
        "sequencer": "likeness_sequencer",
        "auditor": "likeness_audit",
    }


def test_home_moves_every_place(home: Path, tmp_path):
    assert home == settings.LIKENESS_HOME
    assert home.is_relative_to(tmp_path)
    assert home in settings.LIKENESS_KEYS.parents


def test_no_home_asked_for_is_not_the_checkout():
    assert not settings.LIKENESS_HOME.is_relative_to(settings.BASE_DIR)


def test_people_have_one_role_each(people):
    assert {name: user.roles for name, user in people.items()} == {name: [name] for name in people}
    assert {user.tenant for user in people.values()} == {"demo"}


def test_people_live_in_the_live_database(live_database, people):
    connection.close()
    assert User.objects.count() == len(people)
