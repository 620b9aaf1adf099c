"""Prepare a database for its four roles and the broker, before the first migration."""

from __future__ import annotations

import secrets
from importlib import resources
from pathlib import Path

import psycopg
from psycopg import sql

from likeness.databases import ROLES
from likeness.embedded import passwords
from likeness.errors import DatabaseRolesError

APP_ROLE = ROLES["default"]
_LOCK = 7000  # advisory lock: two processes may prepare at once


def prepare(owner_conninfo: str, *, passfile: Path | None = None) -> None:
    """Create the roles, their default rights and the broker's schema; safe to run again.

    With ``passfile`` (the embedded server) each role logs in with its own password, kept there. Without it
    roles have no login and the owner is made a member of each.

    Raises:
        DatabaseRolesError: the owner may not do that.
    """
    try:
        with psycopg.connect(owner_conninfo) as connection:
            connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
            for role in ROLES.values():
                _ensure_role(connection, role, passfile)
            _grant_defaults(connection)
            _ensure_broker(connection)
    except psycopg.Error as error:
        raise DatabaseRolesError(f"Preparing the database failed: {str(error).strip()}") from error


def _ensure_role(connection: psycopg.Connection, role: str, passfile: Path | None) -> None:
    name = sql.Identifier(role)
    known = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
    if passfile is None:
        if not known:
            connection.execute(sql.SQL("create role {} nologin").format(name))
        member = "select pg_has_role(current_user, %s, 'SET') and pg_has_role(current_user, %s, 'USAGE')"
        if not (connection.execute(member, [role, role]).fetchone() or (False,))[0]:
            connection.execute(sql.SQL("grant {} to current_user with inherit true, set true").format(name))
        return
    if known and passwords.find(passfile, role=role):
        return
    password = secrets.token_hex(24)
    verb = sql.SQL("alter role" if known else "create role")
    login = sql.SQL("{} {} login password {}").format(verb, name, sql.Literal(password))
    connection.execute(login)
    passwords.store(passfile, role=role, password=password)


def _grant_defaults(connection: psycopg.Connection) -> None:
    roles = sql.SQL(", ").join(map(sql.Identifier, ROLES.values()))
    app = sql.Identifier(APP_ROLE)
    for statement in (
        sql.SQL("revoke create on schema public from public"),
        sql.SQL("grant usage on schema public to {}").format(roles),
        sql.SQL(
            "alter default privileges in schema public grant select, insert, update, delete on tables to {}"
        ).format(app),
        sql.SQL("alter default privileges in schema public grant usage, select on sequences to {}").format(
            app
        ),
    ):
        connection.execute(statement)


def _ensure_broker(connection: psycopg.Connection) -> None:
    found = connection.execute("select to_regnamespace('pgmq')").fetchone()
    if found is not None and found[0] is not None:
        return
    # The application's role owns the queues: it creates them as it first uses them. The script asks for the
    # right to create schemas even where the schema exists, so the role has it until the commit.
    app = sql.Identifier(APP_ROLE)
    database = sql.Identifier(connection.info.dbname)
    script = resources.files("pgmq").joinpath("sql", "pgmq.sql").read_text()
    connection.execute(sql.SQL("create schema pgmq authorization {}").format(app))
    connection.execute(sql.SQL("grant create on database {} to {}").format(database, app))
    connection.execute(sql.SQL("set local role {}").format(app))
    connection.execute(script.encode())
    connection.execute("reset role")
    connection.execute(sql.SQL("revoke create on database {} from {}").format(database, app))
