#!/usr/bin/env python3
"""CHANGELOG.md in the form that Debian wants: changelog.py VERSION MAINTAINER < CHANGELOG.md

What is not released yet is told under VERSION and dated by SOURCE_DATE_EPOCH, the day of the commit.
"""

import os
import re
import sys
import textwrap
from datetime import datetime, timezone
from email.utils import format_datetime

version, maintainer = sys.argv[1:]
built = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)


def items(section):
    """The groups of a section, each with its items, in the width that Debian wants."""
    for group in re.split(r"^### ", section, flags=re.MULTILINE)[1:]:
        name, _, text = group.partition("\n")
        yield f"  [ {name} ]"
        for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]:
            yield textwrap.fill(" ".join(item.split()), 78, initial_indent="  * ", subsequent_indent="    ")


for section in re.split(r"^## ", sys.stdin.read(), flags=re.MULTILINE)[1:]:
    release = re.match(r"\[(?P<version>[^]]+)\](?: - (?P<day>\S+))?", section)
    day = datetime.fromisoformat(release["day"] + "T00:00:00+00:00") if release["day"] else built
    of = version if release["version"] == "Unreleased" else release["version"] + "-1"
    print(f"scim-rotator ({of}) unstable; urgency=medium\n")
    print("\n".join(items(section)))
    print(f"\n -- {maintainer}  {format_datetime(day)}\n")
