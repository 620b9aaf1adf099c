"""Addresses of the portal; names follow the services' verbs."""

from __future__ import annotations

from django.urls import path

from likeness.portal import (
    audit,
    batch_pages,
    check,
    consent,
    erasure,
    exports,
    gate,
    generation,
    home,
    identities,
    provenance,
    search,
    session,
    studio,
    timestamps,
    verify,
    videos,
)

urlpatterns = [
    path("", home.HomeView.as_view(), name="home"),
    path("sign-in/", session.SignInView.as_view(), name="sign-in"),
    path("sign-out/", session.SignOutView.as_view(), name="sign-out"),
    path("language/", session.LanguageView.as_view(), name="language"),
    path("reviews/", consent.ReviewListView.as_view(), name="review-list"),
    path("licences/", consent.ConsentListView.as_view(), name="consent-list"),
    path("licences/<slug:consent_id>/", consent.ConsentDetailView.as_view(), name="consent-detail"),
    path("licences/<slug:consent_id>/approve/", consent.ConsentApproveView.as_view(), name="consent-approve"),
    path("licences/<slug:consent_id>/reject/", consent.ConsentRejectView.as_view(), name="consent-reject"),
    path("licences/<slug:consent_id>/revoke/", consent.ConsentRevokeView.as_view(), name="consent-revoke"),
    path("portraits/<slug:portrait_id>/", consent.PortraitView.as_view(), name="portrait"),
    path("identities/", identities.IdentityListView.as_view(), name="identity-list"),
    path("identities/enrol/", identities.IdentityEnrolView.as_view(), name="identity-enrol"),
    path("identities/<slug:identity_id>/", identities.IdentityDetailView.as_view(), name="identity-detail"),
    path(
        "identities/<slug:identity_id>/licence/",
        identities.ConsentSubmitView.as_view(),
        name="consent-submit",
    ),
    path("erasure/", erasure.ErasureListView.as_view(), name="erasure-list"),
    path("identities/<slug:identity_id>/erase/", erasure.IdentityEraseView.as_view(), name="identity-erase"),
    path(
        "identities/<slug:identity_id>/erased/", erasure.IdentityErasedView.as_view(), name="identity-erased"
    ),
    path("studio/", studio.StudioView.as_view(), name="studio"),
    path("studio/new/", studio.PresentationCreateView.as_view(), name="presentation-create"),
    path("studio/review/", studio.StudioReviewView.as_view(), name="studio-review"),
    path("studio/see/", studio.StudioSeeView.as_view(), name="studio-see"),
    path("studio/hear/", studio.StudioHearView.as_view(), name="studio-hear"),
    path("studio/table/", batch_pages.BatchCreateView.as_view(), name="presentation-batch"),
    path(
        "studio/table/<slug:batch>/", batch_pages.BatchDetailView.as_view(), name="presentation-batch-detail"
    ),
    path("videos/", videos.PresentationListView.as_view(), name="presentation-list"),
    path("videos/<slug:client_id>/", videos.PresentationDetailView.as_view(), name="presentation-detail"),
    path(
        "videos/<slug:client_id>/cancel/", videos.PresentationCancelView.as_view(), name="presentation-cancel"
    ),
    path(
        "videos/<slug:client_id>/<slug:kind>/",
        videos.PresentationFileView.as_view(),
        name="presentation-file",
    ),
    path("jobs/", generation.JobListView.as_view(), name="job-list"),
    path("jobs/new/", generation.JobCreateView.as_view(), name="job-create"),
    path("jobs/<uuid:job_id>/", generation.JobDetailView.as_view(), name="job-detail"),
    path("jobs/<uuid:job_id>/cancel/", generation.JobCancelView.as_view(), name="job-cancel"),
    path("jobs/<uuid:job_id>/download/", generation.JobDownloadView.as_view(), name="job-download"),
    path("jobs/<uuid:job_id>/output/", generation.JobOutputView.as_view(), name="job-output"),
    path("jobs/<uuid:job_id>/poster/", generation.JobPosterView.as_view(), name="job-poster"),
    path("jobs/<uuid:job_id>/before/", generation.JobBeforeView.as_view(), name="job-before"),
    path("check/", check.CheckView.as_view(), name="check"),
    path("jobs/<uuid:job_id>/label/", generation.JobLabelView.as_view(), name="job-label"),
    path("jobs/<uuid:job_id>/export/", exports.JobExportView.as_view(), name="job-export"),
    path("exports/", exports.ExportListView.as_view(), name="export-list"),
    path("exports/<uuid:export_id>/approve/", exports.ExportApproveView.as_view(), name="export-approve"),
    path("exports/<uuid:export_id>/reject/", exports.ExportRejectView.as_view(), name="export-reject"),
    path("exports/<uuid:export_id>/erase/", exports.ExportEraseView.as_view(), name="export-erase"),
    path("provenance/", provenance.ProvenanceView.as_view(), name="provenance"),
    path("provenance/search/", search.SearchView.as_view(), name="provenance-search"),
    path("provenance/evidence/<uuid:job_id>/", search.EvidenceView.as_view(), name="provenance-evidence"),
    path("verify/", verify.VerifyView.as_view(), name="verify"),
    path("record/", audit.LogListView.as_view(), name="log-list"),
    path("record/checkpoint/", audit.LogCheckpointView.as_view(), name="log-checkpoint"),
    path("record/<int:index>/", audit.LogEntryView.as_view(), name="log-entry"),
    path("record/timestamps/", timestamps.TimestampListView.as_view(), name="timestamp-list"),
    path("record/timestamps/<int:size>/", timestamps.TimestampView.as_view(), name="timestamp"),
    path("record/<int:index>/words/", audit.LogDiscloseView.as_view(), name="log-disclose"),
    path("record/<int:index>/proof/", audit.LogProofView.as_view(), name="log-proof"),
    path("blocklist/", gate.BlockListView.as_view(), name="block-list"),
    path("blocklist/<slug:entry_id>/remove/", gate.BlockRemoveView.as_view(), name="block-remove"),
]
