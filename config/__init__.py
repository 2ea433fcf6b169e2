"""Settings: TOML files in, frozen and validated objects out."""
