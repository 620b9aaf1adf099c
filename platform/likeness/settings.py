"""Django's settings: one file, every value with a working local default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery.schedules import crontab
from csp.constants import NONE, SELF

from likeness import databases, env, private

# ---- places
_PACKAGE = Path(__file__).resolve().parent
_ROOT = _PACKAGE.parents[1]
_CHECKOUT = (_ROOT / "manage.py").is_file()
BASE_DIR = _ROOT if _CHECKOUT else _PACKAGE

LIKENESS_HOME: Path = env.folder("HOME", default=_ROOT / "var" if _CHECKOUT else Path("var"))
LIKENESS_WEIGHTS: Path = LIKENESS_HOME / "weights"
LIKENESS_WORK: Path = LIKENESS_HOME / "work"
LIKENESS_KEYS: Path = LIKENESS_HOME / "keys"
LIKENESS_LOGS: Path = LIKENESS_HOME / "logs"

# ---- what this installation is
LIKENESS_PROFILE = env.choice("PROFILE", choices=("local", "production"), default="local")
LIKENESS_MODEL_POLICY = env.choice("MODEL_POLICY", choices=("commercial", "research"), default="commercial")
LIKENESS_LOG_ORIGIN = env.text("LOG_ORIGIN", default="likeness.local/audit")
LIKENESS_TSA_URL = env.text("TSA_URL")  # an RFC 3161 authority; without one nothing is sent
LIKENESS_TSA_ROOTS = env.text("TSA_ROOTS")  # a PEM file with the certificates that its tokens lead to
LIKENESS_ORGANISATION = env.text("ORGANISATION", default="Likeness local installation")
SAMPLE_CREDIT_CODE = "000000000000000000"
LIKENESS_CREDIT_CODE = env.text("CREDIT_CODE", default=SAMPLE_CREDIT_CODE)
LIKENESS_LABEL_PROFILE = env.choice("LABEL_PROFILE", choices=("", "cn", "eu", "cn+eu"), default="")  # on top
LIKENESS_LABEL_WORDING = env.choice("LABEL_WORDING", choices=("zh", "en", "both"), default="both")
LIKENESS_LABEL_DURATION = env.choice("LABEL_DURATION", choices=("clip", "opening"), default="clip")
LIKENESS_STATUTORY_EXPORT = env.choice("STATUTORY_EXPORT", choices=("off", "on"), default="off")
LIKENESS_PUBLIC_CHECK = env.choice("PUBLIC_CHECK", choices=("on", "off"), default="on") == "on"
LIKENESS_PROXIES = env.integer("PROXIES", default=0, low=0, high=5)  # of our own, that name the caller
LIKENESS_HOOK_HOSTS = env.names("HOOK_HOSTS", default=[])  # host[:port][=address]; nobody else is called
LIKENESS_HOOK_ROOTS = env.text("HOOK_ROOTS")  # a PEM file; empty: the system's authorities
LIKENESS_PRESENTATIONS_OPEN = env.integer("PRESENTATIONS_OPEN", default=200, low=1, high=100_000)  # a tenant
LIKENESS_TTS_URL = env.text("TTS_URL")  # a speech engine over HTTP; empty: no script leaves the house
LIKENESS_TTS_KIND = env.choice("TTS_KIND", choices=("plain", "azure", "cosyvoice"), default="plain")
LIKENESS_TTS_KEY = env.text("TTS_KEY")
LIKENESS_TTS_HOSTS = env.names("TTS_HOSTS", default=[])  # the only hosts that a script is sent to
LIKENESS_TTS_NETWORKS = env.names("TTS_NETWORKS", default=[])  # private networks that they may be in
LIKENESS_LIPSYNC = env.text("LIPSYNC", default="puppet")  # or neural:MODEL_ID, or outside
LIKENESS_LIPSYNC_URL = env.text("LIPSYNC_URL")  # of the engine outside: no face leaves the house without it
LIKENESS_LIPSYNC_KEY = env.text("LIPSYNC_KEY")
LIKENESS_LIPSYNC_HOSTS = env.names("LIPSYNC_HOSTS", default=[])  # the only hosts that a face is sent to
LIKENESS_LIPSYNC_NETWORKS = env.names("LIPSYNC_NETWORKS", default=[])  # private networks they may be in
LIKENESS_PORT = env.integer("PORT", default=8080, low=1, high=65535)

# ---- doors that lower packages reach by name
LIKENESS_KEYRING = "likeness.keyring.FileKeyring"
LIKENESS_FACE_EMBEDDER = "generation.enrolment.analyse"
LIKENESS_REVOCATION_HANDLERS = ["generation.services.withdraw"]
LIKENESS_ERASURE_HANDLERS = ["generation.erasing.erase", "likeness.erasure.forget_answers"]

# ---- Django
# A local installation makes its own; in production likeness.checks refuses to start without one that is set.
SECRET_KEY = env.text("SECRET_KEY") or (
    private.secret_text(LIKENESS_KEYS / "django.secret") if LIKENESS_PROFILE == "local" else "unset"
)
DEBUG = False
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
ROOT_URLCONF = "likeness.urls"
WSGI_APPLICATION = "likeness.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = LOGIN_URL

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "csp",
    "audit",
    "consent",
    "generation",
    "likeness.accounts",
    "likeness.portal",
    "likeness",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "likeness.idempotency.IdempotencyMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "likeness.portal.context.portal",
            ],
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# ---- language and time
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [_PACKAGE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# ---- database
LIKENESS_DATABASE_URL = env.text("DATABASE_URL")
LIKENESS_EMBEDDED = not LIKENESS_DATABASE_URL  # the embedded server runs, and is ours to start
DATABASES: dict[str, dict[str, Any]] = (
    databases.external(LIKENESS_DATABASE_URL) if LIKENESS_DATABASE_URL else databases.embedded(LIKENESS_HOME)
)

# ---- storage and static files
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "blobs": {"BACKEND": "likeness.storage.LocalBlobs"},
}
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # files are served from the packages; nothing is collected
FILE_UPLOAD_TEMP_DIR = None
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_MEMORY_SIZE = 2**20  # JSON bodies and form fields; files are streamed to disk
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

# ---- the browser's side
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "likeness.portal.failures.csrf_failed"
_TLS = LIKENESS_PROFILE == "production"
SESSION_COOKIE_SECURE = _TLS
CSRF_COOKIE_SECURE = _TLS
SECURE_SSL_REDIRECT = _TLS
SECURE_HSTS_SECONDS = 31_536_000 if _TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _TLS else None
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "media-src": [SELF, "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# ---- REST
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "likeness.accounts.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": [
        "likeness.parsing.StrictJSONParser",
        "likeness.parsing.StrictMultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "likeness.paging.CreatedPages",
    "DEFAULT_THROTTLE_CLASSES": ["likeness.throttles.CallerThrottle"],
    "DEFAULT_THROTTLE_RATES": {"read": "600/min", "write": "60/min", "upload": "20/min"},
    "DEFAULT_SCHEMA_CLASS": "likeness.schema.Schema",
    "EXCEPTION_HANDLER": "likeness.api.handle",
    "NUM_PROXIES": LIKENESS_PROXIES,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Likeness",
    "DESCRIPTION": "Licensed likenesses: consent, generation, provenance, log.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "likeness.schema.add_errors",
    ],
}

# ---- tasks: PostgreSQL itself is the broker unless a URL names another
LIKENESS_BROKER_URL = env.text("BROKER_URL")
VISIBILITY_TIMEOUT_S = 12 * 3600  # the reaper sends lost work again long before (platform.md, 4)
if LIKENESS_BROKER_URL:
    CELERY_BROKER_URL = LIKENESS_BROKER_URL
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
        {
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
        }
        if LIKENESS_BROKER_URL.startswith("redis")
        else {}
    )
else:
    CELERY_BROKER_URL = "pgmq://localhost/"  # the place is asked for on connecting
    CELERY_BROKER_TRANSPORT = "likeness.embedded.broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "init_extension": False,  # the SQL comes from the wheel; no extension is installed
        "use_notify": False,  # LISTEN/NOTIFY mode loses wake-ups (measured); poll
        "polling_interval": 0.05,
        "wait_time_seconds": 0,
        "pool_size": 4,
        "pool_timeout": 5,
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
    }
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # does not work on pgmq; the job's row is the control
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_LOST_WAIT = 1  # a killed child is noticed only after it; the default is 10 s
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1}
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = "cpu"
CELERY_TASK_ROUTES = {
    "generation.tasks.run_chunk": {"queue": "gpu"},
    "generation.tasks.admit": {"queue": "cpu"},
    "generation.tasks.seal": {"queue": "cpu"},
    "generation.tasks.reap": {"queue": "io"},
    "audit.tasks.check": {"queue": "cpu"},
    "audit.tasks.stamp": {"queue": "io"},
    "consent.tasks.expire": {"queue": "cpu"},
}
REAP_EVERY_S = 1.0
CELERY_BEAT_SCHEDULE = {
    # A beat message that was not run before the next one is worthless: it expires.
    "reap": {
        "task": "generation.tasks.reap",
        "schedule": REAP_EVERY_S,
        "options": {"expires": 5 * REAP_EVERY_S},
    },
    "consent-expire": {
        "task": "consent.tasks.expire",
        "schedule": crontab(hour=0, minute=7),
        "options": {"expires": 3600},
    },
    "audit-stamp": {
        "task": "audit.tasks.stamp",
        "schedule": crontab(hour=2, minute=17),
        "options": {"expires": 3600},
    },
    "audit-check": {
        "task": "audit.tasks.check",
        "schedule": crontab(hour=3, minute=17),
        "options": {"expires": 3600},
    },
}

# ---- logging: to standard error; the stack writes that into logs/
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
