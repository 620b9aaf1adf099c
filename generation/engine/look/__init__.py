"""What makes the result sit in the picture."""
