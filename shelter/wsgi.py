"""The WSGI entry point; served by gunicorn in production."""

import os

from django.core.wsgi import get_wsgi_application

# Whoever serves this outside of `runserver` is in production unless they say otherwise, so that a
# forgotten variable fails closed: production demands its secret key and its host names.
os.environ.setdefault("SHELTER_ENV", "production")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelter.settings")

application = get_wsgi_application()
