"""Who agreed to what: identities, portraits, licences, approvals, revocation."""
