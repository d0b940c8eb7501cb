"""The programs that pictures are read by in the end: Graphviz, and mermaid's own script."""

from __future__ import annotations

import re
import shutil

from tests.checkout import ROOT

_VERSION = re.search(r"^version=(\S+)$", (ROOT / "bin/mermaid").read_text(), re.MULTILINE)
assert _VERSION is not None
MERMAID = ROOT / f".venv/mermaid/{_VERSION[1]}/mermaid.min.js"


def missing_parsers() -> dict[str, str]:
    """Return why what is not here is not, by name."""
    missing = {}
    if shutil.which("dot") is None:
        missing["graphviz"] = "dot is not on the path"
    if not MERMAID.is_file():
        missing["mermaid"] = "bin/mermaid was not run"
    return missing
