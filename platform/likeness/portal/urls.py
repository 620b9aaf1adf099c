"""Addresses of the portal; names follow the services' verbs."""

from __future__ import annotations

from django.urls import path

from likeness.portal import home, session

urlpatterns = [
    path("", home.HomeView.as_view(), name="home"),
    path("sign-in/", session.SignInView.as_view(), name="sign-in"),
    path("sign-out/", session.SignOutView.as_view(), name="sign-out"),
    path("language/", session.LanguageView.as_view(), name="language"),
]
