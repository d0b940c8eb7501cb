"""What a database remembers of its migrations, and how they are written to it.

Nothing outside this package touches the table `django_migrations`.
"""
