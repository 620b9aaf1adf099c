"""Frames in, frames out: plain Python, no policy, no database."""
