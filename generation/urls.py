"""Addresses of the REST views, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from generation import api, hooks_api, presenting_api, statutory_api, templates_api, variants_api

urlpatterns = [
    path("media/", api.MediaListView.as_view(), name="api-media-list"),
    path("media/<uuid:media_id>/", api.MediaDetailView.as_view(), name="api-media-detail"),
    path("jobs/", api.JobListView.as_view(), name="api-job-list"),
    path("jobs/<uuid:job_id>/", api.JobDetailView.as_view(), name="api-job-detail"),
    path("jobs/<uuid:job_id>/cancel", api.JobCancelView.as_view(), name="api-job-cancel"),
    path("jobs/<uuid:job_id>/output", api.JobOutputView.as_view(), name="api-job-output"),
    path("jobs/<uuid:job_id>/manifest", api.JobManifestView.as_view(), name="api-job-manifest"),
    path("jobs/<uuid:job_id>/poster", api.JobPosterView.as_view(), name="api-job-poster"),
    path("jobs/<uuid:job_id>/exports", statutory_api.JobExportView.as_view(), name="api-job-export"),
    path("exports/", statutory_api.ExportListView.as_view(), name="api-export-list"),
    path("exports/<uuid:export_id>/", statutory_api.ExportDetailView.as_view(), name="api-export-detail"),
    path(
        "exports/<uuid:export_id>/approve",
        statutory_api.ExportApproveView.as_view(),
        name="api-export-approve",
    ),
    path(
        "exports/<uuid:export_id>/reject", statutory_api.ExportRejectView.as_view(), name="api-export-reject"
    ),
    path("exports/<uuid:export_id>/erase", statutory_api.ExportEraseView.as_view(), name="api-export-erase"),
    path("jobs/<uuid:job_id>/before", api.JobBeforeView.as_view(), name="api-job-before"),
    path("hooks/", hooks_api.HookListView.as_view(), name="api-hook-list"),
    path("hooks/deliveries", hooks_api.DeliveryListView.as_view(), name="api-hook-deliveries"),
    path("hooks/<uuid:hook_id>/", hooks_api.HookView.as_view(), name="api-hook"),
    path("hooks/<uuid:hook_id>/test", hooks_api.HookTestView.as_view(), name="api-hook-test"),
    path("templates/", templates_api.TemplateListView.as_view(), name="api-template-list"),
    path("templates/<slug:template>/", templates_api.TemplateView.as_view(), name="api-template"),
    path(
        "templates/<slug:template>/rollback",
        templates_api.TemplateRollBackView.as_view(),
        name="api-template-rollback",
    ),
    path(
        "templates/<slug:template>/<int:number>/approve",
        templates_api.TemplateApproveView.as_view(),
        name="api-template-approve",
    ),
    path("scripts/review", presenting_api.ScriptReviewView.as_view(), name="api-script-review"),
    path("voices/", presenting_api.VoiceListView.as_view(), name="api-voice-list"),
    path("presentations/", presenting_api.PresentationListView.as_view(), name="api-presentation-list"),
    path(
        "presentations/<str:client_id>/", presenting_api.PresentationView.as_view(), name="api-presentation"
    ),
    path("presentations/<str:client_id>/variants", variants_api.VariantsView.as_view(), name="api-variants"),
    path(
        "presentations/<str:client_id>/files/<str:kind>",
        presenting_api.PresentationFileView.as_view(),
        name="api-presentation-file",
    ),
]
