"""The text of a flowchart; how mermaid draws it is tried in the browser's tests."""

from dataclasses import replace

import pytest

from shelter.versioning.report.mermaid import escaped, render_mermaid
from shelter.versioning.report.picture import Mark, Picture, PictureNode, Side, State
from tests.versioning.report.test_picture import chain


def test_states_sides_and_conflicts_have_their_styles() -> None:
    """
    0001 (a run to 0005) -- 0006 (mine)       farm.0001 (across)
                         \\
                          0007 (theirs)
    """
    *older, sixth, last = chain(7)
    conflict = frozenset({Mark.LEAF, Mark.CONFLICT})
    picture = Picture(
        (
            *older,
            replace(sixth, side=Side.MINE, marks=conflict),
            replace(last, side=Side.THEIRS, marks=conflict, parents=sixth.parents),
            PictureNode("farm", "0001", (sixth.key,), State.GHOST, author="Ana", date="2026-01-02"),
        ),
        ("HEAD", "other"),
    )
    assert render_mermaid(picture).splitlines() == [
        "flowchart TB",
        '  subgraph app0["zoo"]',
        "    direction TB",
        '    n0["#10003; 0001"]',
        '    n1["#10003; 0002"]',
        '    n2["#10003; 0003"]',
        '    n3["#10003; 0004"]',
        '    n4["#10003; 0005"]',
        '    n5["#10003; 0006<br>conflicting leaf, HEAD"]',
        '    n6["#10003; 0007<br>conflicting leaf, other"]',
        "  end",
        '  subgraph app1["farm"]',
        "    direction TB",
        '    n7["0001<br>ghost<br>Ana, 2026-01-02"]',
        "  end",
        "  n0 --> n1",
        "  n1 --> n2",
        "  n2 --> n3",
        "  n3 --> n4",
        "  n4 --> n5",
        "  n4 --> n6",
        "  n5 -.-> n7",
        "  classDef applied fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
        "  class n0,n1,n2,n3,n4,n5,n6 applied",
        "  classDef ghost fill:#f6f8fa,stroke:#57606a,color:#1f2328,stroke-dasharray:4",
        "  class n7 ghost",
        "  classDef mine fill:#ddf4ff,stroke:#0969da,color:#1f2328",
        "  class n5 mine",
        "  classDef theirs fill:#fbefff,stroke:#8250df,color:#1f2328",
        "  class n6 theirs",
        "  classDef conflict stroke:#cf222e,stroke-width:3px",
        "  class n5,n6 conflict",
    ]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("0001_initial, Ana 2026-01-02", "0001_initial, Ana 2026-01-02"),
        ("字 שלום", "字 שלום"),
        ("__init__ a--b -", "#95;#95;init#95;#95; a#45;#45;b #45;"),
        ('<b>"#1;"', "#60;b#62;#34;#35;1#59;#34;"),
        ("$$$", "#36;#8288;#36;#8288;#36;"),
        ("a\\nb", "a#92;#8288;nb"),
        ("fa:fa-car", "fa#58;#8288;fa-car"),
    ],
)
def test_what_is_not_plainly_a_word_is_written_in_codes(text: str, codes: str) -> None:
    assert escaped(text) == codes
