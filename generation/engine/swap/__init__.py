"""Put one face in place of another."""
