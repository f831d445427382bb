#!/usr/bin/env python3
"""The licences of all libraries that are compiled in, as text: licences.py TARGET

Each text once, behind the names of those that come under it; Rust's standard library is one of them, with all that it is made
of. A library that brings no text of its own is listed with the licence that it names, whose text is among those of the others; if
it is not, this fails.
"""

import html
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import libraries

TEXTS = re.compile(r"^(licen[cs]e|copying|notice|unlicense)", re.IGNORECASE)
# Words by which the text of a licence is known, of those that a library without a text names.
KNOWN_BY = {
    "MIT": "Permission is hereby granted, free of charge",
    "Apache-2.0": "Apache License",
}


def texts(package):
    folder = Path(package["manifest_path"]).parent
    named = {folder / package["license_file"]} if package["license_file"] else set()
    found = {file for file in folder.iterdir() if TEXTS.match(file.name)}
    # Some keep them in a folder of that name.
    files = named | {file for path in found for file in ([path] if path.is_file() else path.iterdir())}
    return [file.read_text(errors="replace").strip() for file in sorted(files) if file.is_file()]


def standard_library(target):
    """Rust's own, and what it is made of, each as a name and its texts; from what comes with the compiler."""
    rustc = lambda *ask: subprocess.run(["rustc", *ask], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    root = Path(rustc("--print", "sysroot"))
    parts = {file.name.removeprefix("lib").rpartition("-")[0] for file in root.glob(f"lib/rustlib/{target}/lib/*.rlib")}
    # Each of them may be had under one of these.
    yield f"the standard library of {rustc('--version')}: {', '.join(sorted(parts))} (MIT OR Apache-2.0)", []
    notices = root / "share/doc/rust/COPYRIGHT-library.html"
    # Not every distribution of Rust brings it.
    said = notices.read_text() if notices.is_file() else ""
    for part in re.split(r"<h3>\W*", said)[1:]:
        name, _, version = part.partition("</h3>")[0].rpartition("-")
        if name.replace("-", "_") not in parts:
            continue
        licence = re.search(r"<b>License:</b>\s*([^<]+)", part)[1].strip()
        found = [html.unescape(text).strip() for text in re.findall(r"<pre>(.*?)</pre>", part, flags=re.DOTALL)]
        yield f"{name} {version}, in the standard library ({licence})", found


under, without = defaultdict(list), []
target = sys.argv[1]
packages = libraries.of(target, "normal,no-proc-macro")
named = [(f"{p['name']} {p['version']} ({p['license'] or 'see its text'})", texts(p)) for p in packages]
for name, found in [*named, *standard_library(target)]:
    for text in dict.fromkeys(found):
        under[text].append(name)
    if not found:
        without.append(name)

for name in without:
    if not any(spdx in name and any(words in text for text in under) for spdx, words in KNOWN_BY.items()):
        sys.exit(f"{name} brings no text of its licence, and no other library does")

print(f"scim-rotator is linked of {len(packages)} libraries, and of Rust's own. Each comes under the licence that is named behind it.")
if without:
    print("\nThese bring no text of their own; those of the licences that they name stand below:\n")
    print("\n".join(f"  {name}" for name in sorted(without)))
for text, names in sorted(under.items(), key=lambda pair: pair[1]):
    print("\n" + "=" * 100)
    print("\n".join(f"  {name}" for name in names))
    print("-" * 100 + f"\n\n{text}")
