"""From nothing to a migrated database: server, roles, migrations."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg.conninfo import make_conninfo

from likeness.embedded import roles
from likeness.embedded.postgres import EmbeddedPostgres


def prepare_database() -> None:
    """Ensure that the database runs, has its roles and broker, and is migrated.

    Raises:
        EmbeddedError: the embedded server or the roles could not be prepared.
    """
    ensure_server()
    roles.prepare(_owner_conninfo(), passfile=_passfile())
    call_command("migrate", database="owner", verbosity=0, interactive=False)
    connections["owner"].close()


def ensure_server() -> None:
    """Start the embedded server unless the settings name an external one."""
    if settings.LIKENESS_EMBEDDED:
        EmbeddedPostgres(settings.LIKENESS_HOME).ensure(settings.DATABASES["owner"]["NAME"])


def _passfile() -> Path | None:
    return settings.LIKENESS_HOME / "pg.pass" if settings.LIKENESS_EMBEDDED else None


def _owner_conninfo() -> str:
    parameters = connections["owner"].get_connection_params()
    wanted = ("host", "port", "dbname", "user", "password", "passfile", "options", "sslmode", "sslrootcert")
    return make_conninfo("", **{key: parameters[key] for key in wanted if parameters.get(key)})
