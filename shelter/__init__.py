"""The project: settings, URLs, entry points and health, and the `versioning` app."""
