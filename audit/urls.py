"""Addresses of the log: `urlpatterns` below /api/v1/, `public` below /log/."""

from __future__ import annotations

from django.urls import path

from audit import api

urlpatterns = [
    path("audit/entries/", api.EntryListView.as_view(), name="api-audit-entry-list"),
    path("audit/entries/<int:index>/", api.EntryDetailView.as_view(), name="api-audit-entry-detail"),
    path("audit/entries/<int:index>/proof", api.EntryProofView.as_view(), name="api-audit-entry-proof"),
    path("audit/timestamps", api.TimestampListView.as_view(), name="api-audit-timestamp-list"),
    path("audit/checkpoint", api.CheckpointView.as_view(), name="api-audit-checkpoint"),
]

public = [
    path("checkpoint", api.public_checkpoint, name="checkpoint"),
    path("tile/<path:path>", api.public_tile, name="tile"),
]
