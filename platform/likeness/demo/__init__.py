"""The demonstration: the whole chain on two public-domain portraits, from nothing."""
