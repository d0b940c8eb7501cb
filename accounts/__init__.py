"""People: who may log in, and whom an animal can be registered to."""
