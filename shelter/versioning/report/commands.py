"""How the commands that people are told to type are written."""

MANAGE = "python manage.py"


def option(database: str) -> str:
    """Return what names a database on a command line, with a space before; empty for the usual."""
    return "" if database == "default" else f" --database {database}"
