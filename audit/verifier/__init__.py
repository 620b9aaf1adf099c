"""Parts of the offline verifier: plain Python 3.9, which `audit.bundle` joins into one verify.py."""
