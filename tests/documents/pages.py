"""What a page of the documents asks its reader to do.

A block of commands begins with three backticks and the language. A comment before it, which readers do not
see, may say how it is tested:

    <!-- test: skip, it installs Rust -->     not at all, with the reason
    <!-- test: file NAME -->                  it is the content of a file
    <!-- test: output -->                     it is what the block before prints; `...` stands for anything
    <!-- test: before COMMANDS -->            what has to have happened outside of the page, over several lines
"""

import dataclasses
import os
import re

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

RUN = ("sh", "python")
MARKER = re.compile(r"<!-- test: (skip|file|output|before)(.*?)-->", re.DOTALL)


@dataclasses.dataclass
class Block:
    line: int
    language: str
    text: str
    marker: str = ""
    argument: str = ""
    before: str = ""


def blocks(page):
    """The fenced blocks of a page, in order."""
    found, pending, before = [], None, ""
    lines = page.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.startswith("<!-- test:"):
            text = line
            while "-->" not in text:
                number += 1
                text += "\n" + lines[number]
            marker = MARKER.fullmatch(text.strip())
            if not marker:
                raise ValueError(f"line {number + 1}: unknown marker {text!r}")
            kind, argument = marker.group(1), marker.group(2).strip(" ,\n")
            if kind == "before":
                before = argument
            else:
                pending = (kind, argument)
        elif line.startswith("```"):
            language, begun, text = line[3:].strip(), number + 1, []
            number += 1
            while lines[number] != "```":
                text.append(lines[number])
                number += 1
            kind, argument = pending or ("", "")
            found.append(Block(begun, language, "\n".join(text) + "\n", kind, argument, before))
            pending, before = None, ""
        elif line.strip() and pending:
            raise ValueError(f"line {number + 1}: a marker stands right before its block")
        number += 1
    return found


def names():
    """The pages there are."""
    docs = os.listdir(os.path.join(REPOSITORY, "docs"))
    return ["README.md", *sorted(f"docs/{name}" for name in docs if name.endswith(".md"))]


def read(name):
    """A page's text."""
    with open(os.path.join(REPOSITORY, name), encoding="utf-8") as page:
        return page.read()


def prose(page):
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)


def links(page):
    """Files and anchors in the repository that a page leads to."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [tuple((link + "#").split("#")[:2]) for link in found if not re.match(r"[a-z]+:", link)]


def headings(page):
    """The anchors of a page."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def refusals_expected(text):
    """Statuses of refusals that a block shows: `# 404`, or a comment in the middle of one."""
    comments = re.findall(r"(?:^|\s)# (.*)$", text, re.MULTILINE)
    return {int(status) for comment in comments for status in re.findall(r"\b[45]\d\d\b", comment)}


def statuses_promised(text):
    """Statuses that comments at the ends of lines begin with."""
    return [int(status) for status in re.findall(r"\s# ([1-5]\d\d)\b", text)]


def matches(expected, printed):
    """Whether a page shows what was printed; `...` stands for anything, and spaces at ends do not count."""
    def tidied(text):
        return "\n".join(line.rstrip() for line in text.strip().split("\n"))

    pattern = ".*?".join(re.escape(part) for part in tidied(expected).split("..."))
    return re.fullmatch(pattern, tidied(printed), re.DOTALL) is not None
