"""Signing in and out, and the language of the portal."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views import View


class SignInForm(AuthenticationForm):
    """Address and password; a failure says what to do, never which of the two was wrong."""

    error_messages = {
        "invalid_login": _(
            "The e-mail address and the password do not match an account. Check both; the password "
            "distinguishes capital and small letters. If you forgot it, ask your operator for a new one."
        ),
        "inactive": _("This account is switched off. Ask your operator to switch it on."),
    }
    username = forms.EmailField(
        label=_("E-mail address"),
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class SignInView(auth.LoginView):
    """Sign in; the account's language becomes the browser's."""

    template_name = "portal/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Start the session and remember the person's language."""
        response = super().form_valid(form)
        _remember(response, form.get_user().language)
        return response


class SignOutView(View):
    """Sign out by POST, back to the sign-in page."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """End the session."""
        return auth.LogoutView.as_view(next_page=reverse("sign-in"))(request)


class LanguageView(View):
    """Switch the language: in the cookie, and in the account of who is signed in."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Set the language and go back to the same page."""
        language = request.POST.get("language", "")
        if language not in dict(settings.LANGUAGES):
            return HttpResponseBadRequest()
        user: Any = request.user
        if user.is_authenticated and user.language != language:
            user.language = language
            user.save(update_fields=["language"])
        response = redirect(_safe_next(request))
        _remember(response, language)
        return response


def _safe_next(request: HttpRequest) -> str:
    """The page to go back to, never another site's."""
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe and wanted.startswith("/") else reverse("home")


def _remember(response: HttpResponse | HttpResponseRedirect, language: str) -> None:
    if language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=365 * 24 * 3600,
            samesite="Lax",
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
        )
