"""WSGI entry point: ``gunicorn likeness.wsgi``."""

from django.core.wsgi import get_wsgi_application

from likeness import env

env.use_settings()

application = get_wsgi_application()
