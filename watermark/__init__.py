"""Marks that say a file is generated, seen and unseen."""
