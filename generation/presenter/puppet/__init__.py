"""One portrait made to speak on the CPU: two smooth layers of its own pixels, a mouth between them, lids."""
