"""The libraries of the program, as cargo knows them for what is built (no tests, no features that are off)."""

import json
import subprocess


def of(target, edges):
    """What is reached by these edges of `cargo tree`, the program itself aside, as cargo's metadata has it."""

    def cargo(*arguments):
        return subprocess.run(["cargo", *arguments, "--locked"], check=True, stdout=subprocess.PIPE, text=True).stdout

    metadata = json.loads(cargo("metadata", "--format-version=1", f"--filter-platform={target}"))
    tree = cargo("tree", f"--edges={edges}", f"--target={target}", "--prefix=none", "--format={p}")
    reached = {tuple(line.split()[:2]) for line in tree.splitlines()}
    root = metadata["resolve"]["root"]
    packages = [p for p in metadata["packages"] if (p["name"], f"v{p['version']}") in reached and p["id"] != root]
    return sorted(packages, key=lambda package: package["id"])
