"""The one settings module, driven by the environment (or a `.env` file beside `manage.py`).

Nothing set means *development*: a SQLite file, debug pages, this machine's host names only, a
secret key generated into an ignored file. `SHELTER_ENV=production` (which `shelter.wsgi` and
`shelter.asgi` assume) demands `SECRET_KEY` and `ALLOWED_HOSTS` and switches on every protection
that `manage.py check --deploy` asks for. docs/deployment.md lists the variables.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured

from shelter.secret_key import development_secret_key

# Lets `ModelAdmin[Animal]` and its like be written at run time as the type checker reads them.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")

SHELTER_ENV = env.str("SHELTER_ENV", "development")
if SHELTER_ENV not in ("development", "production"):
    raise ImproperlyConfigured(
        f"SHELTER_ENV is {SHELTER_ENV!r}; it must be 'development' or 'production'."
    )
PRODUCTION = SHELTER_ENV == "production"


def _number(name: str, default: int) -> int:
    """Return the environment's `name` as a whole number of 0 or more."""
    text = env.str(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise ImproperlyConfigured(f"{name} is {text!r}; it must be a whole number.")
    return int(text)


def _switch(name: str, *, default: bool) -> bool:
    """Return the environment's `name` as on or off; a misspelt word must not switch anything."""
    text = env.str(name, "on" if default else "off").lower()
    if text in ("on", "true", "yes", "1"):
        return True
    if text in ("off", "false", "no", "0"):
        return False
    raise ImproperlyConfigured(f"{name} is {text!r}; it must be 'on' or 'off'.")


def _names(name: str, *default: str) -> list[str]:
    """Return the environment's `name` as the list that commas part, spaces or not."""
    found = [item.strip() for item in env.str(name, "").split(",")]
    return [item for item in found if item] or list(default)


# Debug pages show settings and data: in production no variable switches them on.
DEBUG = not PRODUCTION and _switch("DEBUG", default=True)

if PRODUCTION:
    SECRET_KEY = env.str("SECRET_KEY", "")
    if not SECRET_KEY:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set, and production must not run on a guessable or a forgotten key. "
            "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(64))' "
            "and set it in the environment. On a developer's machine: SHELTER_ENV=development."
        )
    ALLOWED_HOSTS = _names("ALLOWED_HOSTS")
    if not ALLOWED_HOSTS:
        raise ImproperlyConfigured(
            "ALLOWED_HOSTS is not set, so every request would be refused. "
            "Set it to the host names the shelter is reached by: ALLOWED_HOSTS=shelter.example.org"
        )
else:
    SECRET_KEY = env.str("SECRET_KEY", "") or development_secret_key(BASE_DIR / ".secret_key")
    ALLOWED_HOSTS = _names("ALLOWED_HOSTS", "localhost", "127.0.0.1", "[::1]")
CSRF_TRUSTED_ORIGINS = _names("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    # Before staticfiles: runserver then serves static files through WhiteNoise, as production does.
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "shelter.versioning",
    "accounts",
    "animals",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Last, as django-axes demands: it turns a lockout signal into its response.
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "shelter.urls"
WSGI_APPLICATION = "shelter.wsgi.application"
ASGI_APPLICATION = "shelter.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "shelter" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Databases ----------------------------------------------------------------------------------


def _database() -> dict[str, Any]:
    """Return the default database, from `DATABASE_URL` or a SQLite file beside `manage.py`."""
    url = env.str("DATABASE_URL", "") or f"sqlite:///{BASE_DIR}/db.sqlite3"
    scheme = url.partition("://")[0]
    # The text is not repeated in a message: it can hold a password.
    if scheme not in ("sqlite", "postgres", "postgresql"):
        raise ImproperlyConfigured(
            "DATABASE_URL must begin with sqlite:// or postgres://, as in "
            "sqlite:////srv/shelter.sqlite3 or postgres://user:password@host:5432/name"
        )
    try:
        config: dict[str, Any] = env.db_url_config(url)
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}.") from None
    if not config["NAME"]:
        raise ImproperlyConfigured("DATABASE_URL names no database after the last '/'.")
    if scheme == "sqlite":
        config["OPTIONS"] = {
            # WAL lets readers go on while one writes. IMMEDIATE takes the write lock when a
            # transaction begins, so that `timeout` applies; a DEFERRED one that turns from reading
            # to writing fails at once with "database is locked" however long the timeout.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        }
    else:
        config["CONN_HEALTH_CHECKS"] = True
        config.setdefault("OPTIONS", {})["pool"] = {
            "min_size": 1,
            "max_size": _number("DATABASE_POOL_SIZE", 10),
            "timeout": 10,
        }
    return config


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Accounts -----------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"

SESSION_COOKIE_AGE = int(timedelta(hours=8).total_seconds())

# Throttling: five wrong passwords for one address from one place, then a quarter of an hour's wait.
AXES_ENABLED = _switch("LOGIN_THROTTLING", default=PRODUCTION)
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "accounts.throttling.throttled_name"
AXES_LOCKOUT_TEMPLATE = "accounts/locked_out.html"
AXES_VERBOSE = False
AXES_CLIENT_IP_CALLABLE = "accounts.throttling.client_address"
# How many proxies of our own stand between the shelter and the network.
PROXY_COUNT = _number("PROXY_COUNT", 0)

# --- What the network sees ----------------------------------------------------------------------

if PRODUCTION:
    SECURE_SSL_REDIRECT = _switch("SECURE_SSL_REDIRECT", default=True)
    # Load balancers ask for these two by plain HTTP.
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
    if PROXY_COUNT:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = _number("SECURE_HSTS_SECONDS", 365 * 24 * 60 * 60)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if PRODUCTION
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}
# In development static files come from where they are; production runs `collectstatic`.
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = not PRODUCTION

# --- Language and time --------------------------------------------------------------------------

LANGUAGE_CODE = "en-us"
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_I18N = True
USE_TZ = True

# --- Logging ------------------------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", "INFO").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
    },
    "handlers": {
        # Standard error, always: what a command prints on standard output is its report alone.
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        # Without its own handlers Django would mail errors to ADMINS and be silent outside DEBUG.
        "django": {"handlers": ["console"], "level": LOG_LEVEL, "propagate": False},
        "shelter": {"level": LOG_LEVEL},
        "accounts": {"level": LOG_LEVEL},
        "animals": {"level": LOG_LEVEL},
    },
}
