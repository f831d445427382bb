#!/usr/bin/env python3
"""The bill of materials for what is built: bill.py TARGET < what cargo-cyclonedx wrote

That goes by all that the lock file could build. Here stays what is compiled in or runs inside the compiler (macros), and nothing
tells where it was built: that is nobody's business, and would make every place's another.
"""

import json
import sys
from pathlib import Path

import libraries

bill = json.loads(sys.stdin.read().replace(f"path+file://{Path.cwd()}", "path+file://"))
built = {(package["name"], package["version"]) for package in libraries.of(sys.argv[1], "normal")}
bill["components"] = [part for part in bill["components"] if (part["name"], part["version"]) in built]
refs = {part["bom-ref"] for part in [bill["metadata"]["component"], *bill["components"]]}
bill["dependencies"] = [
    {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in refs]}
    for one in bill["dependencies"]
    if one["ref"] in refs
]
json.dump(bill, sys.stdout, indent=2)
print()
