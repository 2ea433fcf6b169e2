"""The embedded AWS: moto, plus the few things moto lacks."""
