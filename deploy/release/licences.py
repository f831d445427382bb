#!/usr/bin/env python3
"""The licences of all libraries that are compiled in, as text: licences.py TARGET

Each text once, behind the names of those that come under it. A library that brings no text of its own is listed with the
licence that it names, whose text is among those of the others; if it is not, this fails.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

TEXTS = re.compile(r"^(licen[cs]e|copying|notice|unlicense)", re.IGNORECASE)
# Words by which the text of a licence is known, of those that a library without a text names.
KNOWN_BY = {
    "MIT": "Permission is hereby granted, free of charge",
    "Apache-2.0": "Apache License",
}


def compiled_in(target):
    """The packages that the binary is linked of: no tests, no tools of the build, no macros."""
    command = ["cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={target}"]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}

    def is_linked(dep):
        kinds = [kind for target in packages[dep["pkg"]]["targets"] for kind in target["kind"]]
        return "proc-macro" not in kinds and any(kind["kind"] is None for kind in dep["dep_kinds"])

    root = metadata["resolve"]["root"]
    seen, ahead = set(), [root]
    while ahead:
        seen.add(package := ahead.pop())
        ahead += [dep["pkg"] for dep in nodes[package]["deps"] if is_linked(dep) and dep["pkg"] not in seen]
    return [packages[package] for package in sorted(seen - {root})]


def texts(package):
    folder = Path(package["manifest_path"]).parent
    named = {folder / package["license_file"]} if package["license_file"] else set()
    found = {file for file in folder.iterdir() if TEXTS.match(file.name)}
    # Some keep them in a folder of that name.
    files = named | {file for path in found for file in ([path] if path.is_file() else path.iterdir())}
    return [file.read_text(errors="replace").strip() for file in sorted(files) if file.is_file()]


under, without = defaultdict(list), []
packages = compiled_in(sys.argv[1])
for package in packages:
    name = f"{package['name']} {package['version']} ({package['license'] or 'see its text'})"
    found = texts(package)
    for text in dict.fromkeys(found):
        under[text].append(name)
    if not found:
        without.append(name)

for name in without:
    if not any(spdx in name and any(words in text for text in under) for spdx, words in KNOWN_BY.items()):
        sys.exit(f"{name} brings no text of its licence, and no other library does")

print(f"scim-rotator is linked of {len(packages)} libraries. Each comes under the licence that is named behind it.")
if without:
    print("\nThese bring no text of their own; those of the licences that they name stand below:\n")
    print("\n".join(f"  {name}" for name in sorted(without)))
for text, names in sorted(under.items(), key=lambda pair: pair[1]):
    print("\n" + "=" * 100)
    print("\n".join(f"  {name}" for name in names))
    print("-" * 100 + f"\n\n{text}")
