"""The likeness command, one file per verb family."""
