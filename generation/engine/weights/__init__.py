"""The registry of model files: pinned, hashed, licensed."""
