"""The ASGI entry point; as `shelter.wsgi`, for an asynchronous server."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("SHELTER_ENV", "production")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelter.settings")

application = get_asgi_application()
