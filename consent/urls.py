"""Addresses under /api/v1/."""

from django.urls import path

from consent import api

urlpatterns = [
    path("identities/", api.IdentityListView.as_view(), name="api-identity-list"),
    path("identities/<str:identity_id>/", api.IdentityView.as_view(), name="api-identity-detail"),
    path("identities/<str:identity_id>/erase", api.IdentityEraseView.as_view(), name="api-identity-erase"),
    path("audit/entries/<int:index>/disclosure", api.DisclosureView.as_view(), name="api-disclosure"),
    path("identities/<str:identity_id>/portraits/", api.PortraitListView.as_view(), name="api-portrait-add"),
    path("portraits/<str:portrait_id>/preview", api.PreviewView.as_view(), name="api-portrait-preview"),
    path("consents/", api.ConsentListView.as_view(), name="api-consent-list"),
    path("consents/<str:consent_id>/", api.ConsentView.as_view(), name="api-consent-detail"),
    path("consents/<str:consent_id>/approve", api.ConsentApproveView.as_view(), name="api-consent-approve"),
    path("consents/<str:consent_id>/reject", api.ConsentRejectView.as_view(), name="api-consent-reject"),
    path("consents/<str:consent_id>/revoke", api.ConsentRevokeView.as_view(), name="api-consent-revoke"),
    path("blocklist/", api.BlockListView.as_view(), name="api-block-list"),
    path("blocklist/<str:entry_id>/unblock", api.UnblockView.as_view(), name="api-unblock"),
]
