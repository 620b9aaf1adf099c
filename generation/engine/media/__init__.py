"""Probe, decode, encode and join video files."""
