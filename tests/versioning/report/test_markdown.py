"""The report as Markdown, read by GitHub's own parser: nothing injected, nobody called."""

from dataclasses import replace
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options
from hypothesis import given, settings
from hypothesis import strategies as st

from shelter.versioning.report.findings import Branch, Comparison, Finding, Report
from shelter.versioning.report.formats import render
from shelter.versioning.report.picture import plain
from tests.versioning.report.test_formats import COMPARISONS, CONFLICT, NOTE, migration
from tests.versioning.report.test_picture import HOSTILE

MARKUP = st.sampled_from(
    [
        "a|b\\|c \\",
        "`` ` ```",
        "```\n# heading\n```",
        "@ana and @team/all, #12, GH-3",
        "[link](https://example.org) www.example.org https://example.org ana@example.org",
        "![](https://example.org/x.png)",
        "<img src=x onerror=alert(1)><!-- <table>",
        "**bold** _it_ ~~gone~~ &lt; &#60; :tada:",
        "1. one",
        "- [x] task",
        "> quote",
        "---",
        "$`x`$ $$x$$",
    ]
)
TEXT = HOSTILE | MARKUP


def test_a_conflict_has_a_table_a_graph_the_verdict_and_the_commands() -> None:
    assert render(Report("checkmigrations", (CONFLICT,)), "markdown").splitlines() == [
        "### zoo would have conflicting leaf migrations: 0002_a, 0002_b.",
        "",
        "| side | migration | author | date | operations |",
        "|---|---|---|---|---|",
        "| <code>HEAD</code> | <code>0002_a</code> | Ana | 2026-01-02 | Add field |",
        "| <code>other</code> | <code>0002_b</code> | Ana | 2026-01-02 | Add field |",
        "",
        "```mermaid",
        "flowchart TB",
        '  subgraph app0["zoo"]',
        "    direction TB",
        '    n0["0001_initial"]',
        '    n1["0002_a<br>conflicting leaf, HEAD<br>Ana, 2026-01-02"]',
        '    n2["0002_b<br>conflicting leaf, other<br>Ana, 2026-01-02"]',
        "  end",
        "  n0 --> n1",
        "  n0 --> n2",
        "  classDef mine fill:#ddf4ff,stroke:#0969da,color:#1f2328",
        "  class n1 mine",
        "  classDef theirs fill:#fbefff,stroke:#8250df,color:#1f2328",
        "  class n2 theirs",
        "  classDef conflict stroke:#cf222e,stroke-width:3px",
        "  class n1,n2 conflict",
        "```",
        "",
        "**Verdict: independent.** Both are fine.",
        "",
        "Next:",
        "",
        "```sh",
        "git merge other",
        "```",
        "",
        (
            "<sub>warning versioning.W001, <code>zoo&#47;migrations</code> with "
            "<code>other</code></sub>"
        ),
    ]


def test_other_findings_are_said_and_their_lines_are_no_prose() -> None:
    note = replace(NOTE, reason="It changed:\n- a\n+ `````b", next=("do x", "do y"))
    assert render(Report("checkmigrations", (note,)), "markdown").splitlines() == [
        "### Two&#65533;&#65533;lines, 100 &#37;&#46;",
        "",
        "It changed&#58;",
        "",
        "``````text",
        "- a",
        "+ `````b",
        "``````",
        "",
        "Next:",
        "",
        "```sh",
        "do x",
        "do y",
        "```",
        "",
        (
            "<sub>info versioning.I001, <code>zoo&#47;100&#37;&#44;&#65533;&#58;&#58;error&#58;"
            "&#58;x&#46;py&#58;3</code></sub>"
        ),
    ]


def test_many_merges_are_a_table() -> None:
    text = render(Report("checkmigrations", (CONFLICT, NOTE), COMPARISONS), "markdown")
    assert text.splitlines() == [
        "| branch | app | verdict | authors | leaves |",
        "|---|---|---|---|---|",
        "| other | zoo | independent | Ana | 0002_a, 0002_b |",
        "| 0123456789 | &#45; | clean |  |  |",
        "",
        "2 merges tried, 1 with findings.",
    ]


def test_operations_are_told_as_far_as_they_help() -> None:
    many = replace(migration("0002_a", "a.py"), operations=tuple("abcdefg"), author=None, date=None)
    finding = replace(CONFLICT, branches=(Branch("0002_a", None, (many,)),))
    row = render(Report("checkmigrations", (finding,)), "markdown").splitlines()[4]
    assert row == "|  | <code>0002_a</code> | not committed |  | a<br>b<br>c<br>d<br>e<br>2 more |"


class Page(HTMLParser):
    """What a page has: its tags, the text of each cell, of headings and of fenced blocks."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.found: dict[str, list[str]] = {"td": [], "h3": [], "pre": [], "tr": []}
        self.open: list[str] = []
        self.feed(cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag in self.found:
            self.found[tag].append("")
            self.open.append(tag)
        if tag == "br":
            self.handle_data("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.found:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self.open[-1:]:
            self.found[tag][-1] += data

    def handle_comment(self, data: str) -> None:
        self.tags.add("a comment")


def words(text: str) -> str:
    return " ".join(plain(text).replace("\N{WORD JOINER}", "\N{REPLACEMENT CHARACTER}").split())


def shown(text: str) -> str:
    """Return the text of a page without the signs that keep it from calling anybody."""
    return " ".join(text.replace("\N{WORD JOINER}", "").split())


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    names = draw(st.lists(TEXT, min_size=2, max_size=6))
    some = st.sampled_from(names)
    made = st.builds(
        replace,
        st.just(migration("x", "x")),
        name=some,
        author=st.none() | some,
        date=st.none() | some,
        operations=st.lists(some, max_size=3).map(tuple),
        applied=st.sampled_from([True, False, None]),
    )
    branches = st.builds(
        Branch, leaf=some, ref=st.none() | some, migrations=st.lists(made, max_size=2).map(tuple)
    )
    return replace(
        CONFLICT,
        app=draw(some),
        path=draw(some),
        message=draw(some),
        ref=draw(st.none() | some),
        fork=tuple(draw(st.lists(some, max_size=1))),
        branches=tuple(draw(st.lists(branches, min_size=1, max_size=3))),
        reason=draw(some),
        next=tuple(draw(st.lists(some, max_size=2))),
    )


@settings(deadline=None)
@given(findings())
def test_github_s_parser_finds_what_is_meant_and_nothing_else(finding: Finding) -> None:
    page = Page(render(Report("checkmigrations", (finding,)), "markdown"))
    assert page.tags <= {
        *("h3", "table", "thead", "tbody", "tr", "th", "td"),
        *("code", "br", "pre", "p", "strong", "sub"),
    }
    assert page.attributes <= {"lang", "class"}
    assert list(map(shown, page.found["h3"])) == [words(finding.message)]
    rows = [made for branch in finding.branches for made in branch.migrations]
    cells = list(map(shown, page.found["td"]))
    assert len(cells) == 5 * len(rows)
    assert cells[1::5] == [words(made.name) for made in rows]
    assert cells[4::5] == [words(" ".join(map(plain, made.operations))) for made in rows]
    fences = [block for block in page.found["pre"] if block.startswith("flowchart TB\n")]
    assert len(fences) >= 1
    assert "".join(f"{plain(command)}\n" for command in finding.next) in (*page.found["pre"], "")


@settings(deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_a_table_of_merges_keeps_its_rows(names: list[str]) -> None:
    comparisons = tuple(Comparison("HEAD", name, ()) for name in names)
    page = Page(render(Report("checkmigrations", (), comparisons), "markdown"))
    assert page.tags <= {"table", "thead", "tbody", "tr", "th", "td", "p"}
    assert len(page.found["tr"]) == 1 + len(names)
    assert len(page.found["td"]) == 5 * len(names)


@settings(deadline=None)
@given(TEXT)
def test_nobody_is_called(text: str) -> None:
    note = replace(NOTE, message=f"{text}@ana #12", reason="")
    rendered = Page(render(Report("checkmigrations", (note,)), "markdown")).found["h3"][0]
    assert "@ana" not in rendered
    assert "#12" not in rendered
