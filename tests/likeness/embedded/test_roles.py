from __future__ import annotations

import psycopg
import pytest
from django.conf import settings
from django.db import ProgrammingError, connection, connections

from likeness import databases
from likeness.embedded import broker, passwords, roles
from likeness.errors import DatabaseRolesError


def query(alias: str, sql: str) -> object:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None


def test_preparing_again_changes_nothing(live_database, postgres):
    before = postgres.passfile.read_text()
    roles.prepare(postgres.conninfo(live_database), passfile=postgres.passfile)
    assert postgres.passfile.read_text() == before


def test_every_role_has_a_password_of_its_own(live_database, postgres):
    found = {passwords.find(postgres.passfile, role=role) for role in ("postgres", *databases.ROLES.values())}
    assert len(found) == 4
    assert None not in found


@pytest.mark.parametrize("alias", ["default", "sequencer", "auditor"])
@pytest.mark.parametrize(
    "statement",
    [
        "create table mine (n int)",
        "create schema mine",
        "create role mine",
        "alter table accounts_user disable trigger all",
        "set role postgres",
        "set session_replication_role = replica",
    ],
)
def test_no_role_but_the_owner_changes_the_schema(live_database, alias, statement):
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        query(alias, statement)


@pytest.mark.parametrize("alias", ["sequencer", "auditor"])
def test_accounts_are_the_applications_alone(live_database, alias):
    with pytest.raises(ProgrammingError, match="permission denied"):
        query(alias, "select count(*) from accounts_user")


def test_the_application_owns_the_broker_and_nothing_else(live_database):
    assert (
        query("default", "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'pgmq'")
        == "likeness_app"
    )
    with pytest.raises(ProgrammingError):
        query("default", "drop table accounts_user")


def test_the_broker_is_told_the_password_and_the_current_database(live_database, postgres):
    parts = psycopg.conninfo.conninfo_to_dict(broker.conninfo())
    assert parts["dbname"] == live_database
    assert parts["user"] == "likeness_app"
    assert parts["password"] == passwords.find(postgres.passfile, role="likeness_app")


def test_no_password_stands_in_the_settings(postgres):
    secrets = [line.rsplit(":", 1)[1] for line in postgres.passfile.read_text().splitlines()]
    shown = repr({name: getattr(settings, name) for name in dir(settings) if name.isupper()})
    assert not [secret for secret in secrets if secret in shown]


def test_an_external_url_takes_a_role_on_connecting(live_database, postgres):
    password = passwords.find(postgres.passfile, role="postgres")
    url = f"postgresql://postgres:{password}@/{live_database}?host={postgres.run}&application_name=x"
    entries = databases.external(url)
    assert "options" not in entries["owner"]["OPTIONS"]
    for alias, role in databases.ROLES.items():
        entry = entries[alias]
        with psycopg.connect(
            host=entry["HOST"],
            user=entry["USER"],
            password=entry["PASSWORD"],
            dbname=entry["NAME"],
            **entry["OPTIONS"],
        ) as made:
            assert made.execute("select current_user").fetchone() == (role,)


def test_an_external_owner_without_rights_is_refused_by_name(live_database, postgres):
    password = passwords.find(postgres.passfile, role="likeness_audit")
    with pytest.raises(DatabaseRolesError, match="permission denied"):
        roles.prepare(f"host={postgres.run} user=likeness_audit dbname={live_database} password={password}")


def test_an_external_plain_owner_prepares_roles_without_login(live_database, postgres):
    name, password = "plain_owner", "only-in-this-test"
    connection.close()
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"create role {name} login createrole password '{password}'")
        admin.execute(f"create database {name} owner {name}")
        try:
            for role in databases.ROLES.values():  # they exist here; an operator grants them
                admin.execute(f"grant {role} to {name} with admin option")
            roles.prepare(f"host={postgres.run} user={name} dbname={name} password={password}")
        finally:
            admin.execute(f"drop database {name} with (force)")
            admin.execute(f"drop role {name}")
