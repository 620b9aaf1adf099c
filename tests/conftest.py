"""What every test may ask for: a real database, a home, people, a running sequencer.

``db`` is a transaction that is rolled back. ``live_database`` is a database of one's own whose commits are
real. Both are clones of one template, migrated once a session. Django's flush is never used: the log refuses
TRUNCATE.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connections
from django.utils import translation
from kombu import pools
from pytest_django import DjangoDbBlocker, Settings

from likeness import celery_app, databases
from likeness.embedded import home as homes
from likeness.embedded import roles
from likeness.embedded.postgres import EmbeddedPostgres

TEMPLATE = "likeness_template"
SHARED = "likeness"
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # nothing here must outlive a crash
WEIGHTS = Path(django_settings.LIKENESS_WEIGHTS)


@pytest.fixture(scope="session")
def session_home() -> Iterator[Path]:
    """A short directory that PostgreSQL's user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="lk-", dir="/tmp" if Path("/tmp").is_dir() else None))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(session_home: Path) -> Iterator[EmbeddedPostgres]:
    """The session's server."""
    server = EmbeddedPostgres(session_home / "db", options=FAST)
    server.ensure("postgres")
    yield server
    connections.close_all()
    disconnect_broker()
    server.stop()


def point_at(server: EmbeddedPostgres, name: str) -> None:
    """Let every alias, in every thread, name one database of the session's server."""
    connections.close_all()
    disconnect_broker()
    for alias, entry in databases.embedded(server.home, name=name).items():
        held = connections.settings[alias]
        held |= {key: entry[key] for key in ("NAME", "USER", "HOST", "OPTIONS")}
        held |= {"PASSWORD": "", "PORT": ""}


def disconnect_broker() -> None:
    """Let Celery connect anew: its pools hold connections to the database that was named before."""
    pools.reset()
    celery_app._after_fork()


def administer(server: EmbeddedPostgres, *statements: str) -> None:
    """Run statements as the server's owner."""
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker, postgres: EmbeddedPostgres
) -> None:
    """Migrate the template as the owner and clone the database that ``db`` uses."""
    postgres.ensure(TEMPLATE)
    roles.prepare(postgres.conninfo(TEMPLATE), passfile=postgres.passfile)
    with django_db_blocker.unblock():
        point_at(postgres, TEMPLATE)
        call_command("migrate", database="owner", verbosity=0, interactive=False)
        connections.close_all()
    administer(postgres, f"create database {SHARED} template {TEMPLATE}")
    point_at(postgres, SHARED)


_serial = iter(range(1_000_000))


@pytest.fixture
def live_database(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, postgres: EmbeddedPostgres
) -> Iterator[str]:
    """A database of this test's own: commits are real, several connections and threads may use it."""
    name = f"live_{next(_serial)}"
    administer(postgres, f"create database {name} template {TEMPLATE}")
    with django_db_blocker.unblock():
        point_at(postgres, name)
        yield name
        point_at(postgres, SHARED)
    administer(postgres, f"drop database {name} with (force)")


@pytest.fixture(autouse=True)
def _language() -> Iterator[None]:
    """A request in another language must not change what the next test reads."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _places(request: pytest.FixtureRequest, settings: Settings, session_home: Path) -> None:
    """No test writes into the checkout's own home, whatever it forgets to ask for, or inherits a throttle."""
    cache.clear()
    if "home" not in request.fixturenames:
        _move_home(settings, session_home / "home")


def _move_home(settings: Settings, home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    settings.LIKENESS_HOME = home
    for name in ("WEIGHTS", "WORK", "KEYS", "LOGS"):
        setattr(settings, f"LIKENESS_{name}", home / name.lower())
    if WEIGHTS.is_dir() and not (home / "weights").exists():
        (home / "weights").symlink_to(WEIGHTS)


@pytest.fixture
def home(settings: Settings, tmp_path: Path) -> Path:
    """A LIKENESS_HOME of this test's own, with the pulled weights linked in; settings point at it."""
    folder = tmp_path / "home"
    _move_home(settings, folder)
    return folder


@pytest.fixture
def sequencing(home: Path, live_database: str) -> Iterator[None]:
    """The real sequencer at work beside the test; the signer's mark lies in this test's home."""
    from audit import sequencer

    stop = threading.Event()

    def work() -> None:
        try:
            sequencer.run(stop)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name="sequencer", daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(timeout=10)
    assert not thread.is_alive(), "the sequencer did not stop"


@pytest.fixture
def person(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Make one user: ``person("legal", "business", tenant="demo")``."""
    request.getfixturevalue("live_database" if "live_database" in request.fixturenames else "db")
    from likeness.accounts.models import User

    def make(*held: str, tenant: str = "demo", email: str = "") -> User:
        number = next(_serial)
        user = User(email=email or f"{'-'.join(held) or 'nobody'}-{number}@{tenant}.example", tenant=tenant)
        user.roles = list(held)
        user.set_unusable_password()
        user.save()
        return user

    return make


@pytest.fixture
def people(person: Callable[..., Any]) -> dict[str, Any]:
    """One user for each role, in the tenant "demo"."""
    names = ("requester", "legal", "business", "expert", "auditor", "operator")
    return {name: person(name) for name in names}


@pytest.fixture(scope="session")
def server_user() -> homes.ServerUser:
    """Whom PostgreSQL runs as here."""
    return homes.server_user()
