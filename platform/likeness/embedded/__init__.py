"""The engines that a fresh machine starts for itself."""
