"""What can go wrong in the platform itself.

LikenessError
├── SettingError                  an environment variable does not hold what it should
├── EmbeddedError
│   ├── EmbeddedPostgresError     the embedded server could not be created, started or stopped
│   ├── HomeRefusedError          the home directory cannot hold a server: path, owner, host
│   └── DatabaseRolesError        the database's roles could not be prepared
├── KeyringError                  a key file is missing, short or readable by others
├── BlobError
│   ├── BlobMissingError          no blob of that hash
│   ├── BlobWriteError            the disk did not take it; nothing of it is kept
│   └── BlobNameError             the name is not the hash of anything
├── AccountError
│   ├── AccountExistsError        somebody has this address
│   ├── RoleUnknownError          no role of that name
│   ├── PasswordRefusedError      the password is too weak
│   └── ProfileError              not in this profile
├── RequestInvalidError           a question that cannot be answered as it stands
├── TooLargeError                 an upload is larger than is taken there
├── TooManyChecksError            strangers asked the public check too often
├── RoleError                     the person lacks the role
├── ReportError                   a report for people could not be set
└── StackError                    a process of the local stack did not come up
"""

from collections.abc import Mapping


class LikenessError(Exception):
    """Root of the platform's errors; ``code`` is stable, ``hint`` says what to do next."""

    code = "likeness.error"
    hint = "See the server's log."


class SettingError(LikenessError):
    """An environment variable does not hold what it should."""

    code = "setting.invalid"
    hint = "Correct the variable and start again."


class EmbeddedError(LikenessError):
    """An engine that the machine starts for itself failed."""

    code = "embedded.failed"


class EmbeddedPostgresError(EmbeddedError):
    """The embedded PostgreSQL could not be created, started or stopped."""

    code = "embedded.postgres"
    hint = "Read pg/server.log in the home directory."


class HomeRefusedError(EmbeddedError):
    """The home directory cannot hold a server."""

    code = "embedded.home"
    hint = "Point LIKENESS_HOME at a short path on a local disk that the server's user can reach."


class DatabaseRolesError(EmbeddedError):
    """The roles of the database could not be prepared."""

    code = "database.roles"
    hint = "Let the owner of LIKENESS_DATABASE_URL create roles, or create them beforehand."


class KeyringError(LikenessError):
    """A key file cannot be used."""

    code = "keyring.refused"
    hint = "Restore keys/ from its backup; never replace a key that has been used."


class BlobError(LikenessError):
    """Something about a stored blob is wrong."""

    code = "blob.error"


class BlobMissingError(BlobError):
    """There is no blob of that hash."""

    code = "blob.missing"
    hint = "It was deleted, or the storage was not restored with the database."


class BlobWriteError(BlobError):
    """The disk did not take the blob; nothing of it is kept."""

    code = "blob.write"
    hint = "Free space under LIKENESS_HOME, then send it again."


class BlobNameError(BlobError):
    """The name is not the hash of anything."""

    code = "blob.name"
    hint = "Blobs are named by 64 lower-case hexadecimal digits."


class AccountError(LikenessError):
    """An account cannot be made or used."""

    code = "account.error"


class AccountExistsError(AccountError):
    """Somebody has this address already."""

    code = "account.exists"
    hint = "Use another address, or change the existing account."


class RoleUnknownError(AccountError):
    """There is no role of that name."""

    code = "account.role_unknown"
    hint = "Roles: requester, legal, business, expert, auditor, operator."


class PasswordRefusedError(AccountError):
    """The password is too weak; ``fields`` says why."""

    code = "account.password"
    hint = "Choose at least 12 characters that are not a common password."

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.fields = {"password": reasons}


class ProfileError(AccountError):
    """Not in this profile."""

    code = "account.profile"
    hint = "Make real accounts: likeness accounts add."


class RequestInvalidError(LikenessError):
    """A question cannot be answered as it stands; ``fields`` says why."""

    code = "request.invalid"
    hint = "Correct the named fields."

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(told)}" for name, told in fields.items()))
        self.fields = fields


class TooLargeError(LikenessError):
    """An upload is larger than is taken there."""

    code = "request.too_large"
    hint = "Send a shorter part of the file."


class TooManyChecksError(LikenessError):
    """Strangers asked too often; ``wait`` is in seconds."""

    code = "check.too_many"
    hint = "Wait as long as Retry-After says."

    def __init__(self, message: str, *, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


class RoleError(LikenessError):
    """The person lacks the role."""

    code = "role.missing"
    hint = "Ask an operator for the role."


class StackError(LikenessError):
    """A process of the local stack did not come up."""

    code = "stack.failed"
    hint = "Read the process's file in logs/ of the home directory."


class ReportError(LikenessError):
    """A report for people could not be set."""

    code = "report.failed"
    hint = "The evidence itself is whole; tell the operator what could not be set."
