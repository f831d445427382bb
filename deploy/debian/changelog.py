#!/usr/bin/env python3
"""CHANGELOG.md in the form that Debian wants: changelog.py VERSION MAINTAINER < CHANGELOG.md

What is not released yet is told under VERSION, dated by SOURCE_DATE_EPOCH, the day of the commit.
"""

import os
import re
import sys
import textwrap
from datetime import datetime, timezone
from email.utils import format_datetime


def paragraphs(text):
    """Items and prose, in the order in which they stand, in the width that Debian wants."""
    for part in re.split(r"^(?=- )|\n\s*\n", text, flags=re.MULTILINE):
        words = " ".join(part.removeprefix("- ").split())
        first, others = ("  * ", "    ") if part.startswith("- ") else ("  ", "  ")
        if words:
            yield textwrap.fill(words, 78, initial_indent=first, subsequent_indent=others)


def lines(section):
    """What a section says: first of all of it, then by groups."""
    whole, *groups = re.split(r"^### ", section, flags=re.MULTILINE)
    yield from paragraphs(whole)
    for group in groups:
        name, _, text = group.partition("\n")
        yield f"  [ {name.strip()} ]"
        yield from paragraphs(text)


def entries(text, version):
    """Each version with its day, if it has one, and its lines; the one that is packaged first."""
    upstream = version.rpartition("-")[0]
    # Where the names of versions lead to is no matter of an item.
    text = re.sub(r"^\[[^]]+\]:.*\n?", "", text, flags=re.MULTILINE)
    unreleased, released = [], []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        head, _, body = section.partition("\n")
        match = re.match(r"\[(?P<of>[^]]+)\](?: - (?P<day>\S+))?", head)
        if match["of"] == "Unreleased":
            unreleased = list(lines(body))
        else:
            released.append((match["of"] + "-1", match["day"], list(lines(body))))
    newest = released[0][0] if released else None
    if unreleased and f"{upstream}-1" in [of for of, _, _ in released]:
        sys.exit(f"CHANGELOG.md has {upstream} released, and tells of what is not: the next version goes into Cargo.toml")
    if not unreleased and newest != f"{upstream}-1":
        sys.exit(f"CHANGELOG.md tells nothing of {upstream}")
    if not unreleased and version != newest:
        unreleased = ["  * Nothing has changed but the package."]
    return ([(version, None, unreleased)] if unreleased else []) + released


def main():
    version, maintainer = sys.argv[1:]
    built = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    for of, day, told in entries(sys.stdin.read(), version):
        date = datetime.fromisoformat(day + "T00:00:00+00:00") if day else built
        print(f"scim-rotator ({of}) unstable; urgency=medium\n")
        print("\n".join(told))
        print(f"\n -- {maintainer}  {format_datetime(date)}\n")


main()
