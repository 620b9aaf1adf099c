"""Addresses of the REST views, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from generation import api

urlpatterns = [
    path("media/", api.MediaListView.as_view(), name="api-media-list"),
    path("media/<uuid:media_id>/", api.MediaDetailView.as_view(), name="api-media-detail"),
    path("jobs/", api.JobListView.as_view(), name="api-job-list"),
    path("jobs/<uuid:job_id>/", api.JobDetailView.as_view(), name="api-job-detail"),
    path("jobs/<uuid:job_id>/cancel", api.JobCancelView.as_view(), name="api-job-cancel"),
    path("jobs/<uuid:job_id>/output", api.JobOutputView.as_view(), name="api-job-output"),
    path("jobs/<uuid:job_id>/manifest", api.JobManifestView.as_view(), name="api-job-manifest"),
    path("jobs/<uuid:job_id>/poster", api.JobPosterView.as_view(), name="api-job-poster"),
    path("jobs/<uuid:job_id>/before", api.JobBeforeView.as_view(), name="api-job-before"),
]
