"""ASGI entry point."""

from django.core.asgi import get_asgi_application

from likeness import env

env.use_settings()

application = get_asgi_application()
