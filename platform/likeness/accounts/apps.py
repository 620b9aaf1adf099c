"""The application of accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, their roles and API keys."""

    name = "likeness.accounts"
    label = "accounts"
