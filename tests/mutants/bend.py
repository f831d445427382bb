#!/usr/bin/env python3
"""Builds all mutants of a crate into one program that bends itself as it is told, and asks the tests that reach each.

cargo-mutants says what is to be bent and how. Here each place becomes a choice at run time, so that a mutant costs no build,
and a test that does not reach it is not run: some two thousand take an hour and not a night. What has no such form (a `&&`
beside a `let`, a constant) is told, and is for cargo-mutants itself to bend.

    bend.py build CRATE LIST     bends the files of CRATE in place, takes out what does not compile, builds the tests
    bend.py trace CRATE          runs each test once, unbent: which mutants it reaches, and how long it takes
    bend.py ask CRATE RESULTS    runs the mutants that RESULTS does not know yet, or that ran out of time, and writes
                                 there what became of each
"""
import collections
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import tree_sitter
import tree_sitter_rust

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))
# A mutant of which so many tests do not end is asked no more.
MOST_HUNG = 3
COMPARISONS = {"==", "!=", "<", ">", "<=", ">="}

SUPPORT = """
#[doc(hidden)]
pub mod bent {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::sync::{LazyLock, Mutex};
    static CHOSEN: LazyLock<usize> =
        LazyLock::new(|| std::env::var("BENT").ok().and_then(|it| it.parse().ok()).unwrap_or(usize::MAX));
    static TRACE: LazyLock<Option<Mutex<std::fs::File>>> =
        LazyLock::new(|| std::env::var("BENT_TRACE").ok().map(|it| Mutex::new(std::fs::File::create(it).unwrap())));
    static SEEN: [AtomicBool; 8000] = [const { AtomicBool::new(false) }; 8000];
    pub fn m(id: usize) -> bool {
        if let Some(file) = &*TRACE {
            if !SEEN[id].swap(true, Relaxed) {
                writeln!(file.lock().unwrap(), "{id}").unwrap();
            }
        }
        *CHOSEN == id
    }
}
"""


class File:
    def __init__(self, path, text, mutants):
        self.path, self.source = path, text.encode()
        self.tree = PARSER.parse(self.source)
        self.starts = [0]
        for line in self.source.split(b"\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.mutants = mutants
        self.at = collections.defaultdict(list)  # by id of the node
        self.nodes = {}
        self.unplaced = []
        for number, mutant in mutants.items():
            node = self.place(mutant)
            if node is None:
                self.unplaced.append(number)
            else:
                self.at[node.id].append(number)
                self.nodes[node.id] = node

    def byte(self, at):
        start = self.starts[at["line"] - 1]
        line = self.source[start : self.starts[at["line"]] - 1].decode()
        return start + len(line[: at["column"] - 1].encode())

    def span(self, mutant):
        return self.byte(mutant["span"]["start"]), self.byte(mutant["span"]["end"])

    def place(self, mutant):
        start, end = self.span(mutant)
        node = self.tree.root_node.descendant_for_byte_range(start, max(start, end - 1))
        genre = mutant["genre"]

        def up(kinds, check=lambda n: True):
            it = node
            while it is not None:
                if it.type in kinds and check(it):
                    return it
                it = it.parent
            return None

        if genre == "BinaryOperator":
            found = up(
                {"binary_expression", "compound_assignment_expr"},
                lambda n: any(c.start_byte == start and c.end_byte == end and not c.is_named for c in n.children),
            )
            return found
        if genre == "UnaryOperator":
            return up({"unary_expression"}, lambda n: n.start_byte == start)
        if genre == "MatchArmGuard":
            found = up({"match_pattern"})
            condition = found and found.child_by_field_name("condition")
            if condition is None or condition.type in ("let_chain", "let_condition"):
                return None
            return found if condition.start_byte == start else None
        if genre == "MatchArm":
            found = up({"match_arm"}, lambda n: n.start_byte <= start)
            pattern = found and found.child_by_field_name("pattern")
            condition = pattern and pattern.child_by_field_name("condition")
            if condition is not None and condition.type in ("let_chain", "let_condition"):
                return None
            return found and pattern
        if genre == "StructField":
            return up({"struct_expression"}, lambda n: n.start_byte < start)
        if genre == "FnValue":
            return up({"block"}, lambda n: n.start_byte < start)
        return None

    def text(self, node):
        return self.source[node.start_byte : node.end_byte].decode()

    def render(self, dropped):
        return self.draw(self.tree.root_node, dropped)

    def inner(self, node, dropped, skip_first=False):
        out, at = [], node.start_byte
        for child in node.children:
            out.append(self.source[at : child.start_byte].decode())
            out.append(self.draw(child, dropped))
            at = child.end_byte
        out.append(self.source[at : node.end_byte].decode())
        return "".join(out)

    def draw(self, node, dropped):
        numbers = [n for n in self.at.get(node.id, ()) if n not in dropped]
        if not numbers:
            return self.inner(node, dropped) if node.children else self.text(node)
        group = "/*G" + ",".join(map(str, numbers)) + "*/"
        of = {n: self.mutants[n] for n in numbers}

        def chain(choices, last):
            lines = [f"if crate::bent::m({n}) {{ {text} }} else /*M{n}*/\n" for n, text in choices]
            return "".join(lines) + "{ " + last + " }"

        if node.type in ("binary_expression", "compound_assignment_expr"):
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            op = self.text(node.child_by_field_name("operator"))
            l, r = self.draw(left, dropped), self.draw(right, dropped)
            if node.type == "compound_assignment_expr":
                return chain([(n, f"{self.text(left)} {m['replacement']} {self.text(right)}") for n, m in of.items()], f"{l} {op} {r}")
            if op in ("&&", "||"):
                body = chain([(n, f"l {m['replacement']} ({self.text(right)})") for n, m in of.items()], f"l {op} ({r})")
                return f"({{ {group} let l: bool = {l};\n{body} }})"
            body = chain([(n, f"l {m['replacement']} r") for n, m in of.items()], f"l {op} r")
            if op in COMPARISONS:
                return f"(match {group} (&({l}), &({r})) {{ (l, r) =>\n{body} }})"
            return f"(match {group} ({l}, {r}) {{ (l, r) =>\n{body} }})"
        if node.type == "unary_expression":
            operand = node.children[-1]
            op = self.source[node.start_byte : operand.start_byte].decode()
            body = chain([(n, "v") for n in numbers], f"{op}v")
            return f"(match {group} ({self.draw(operand, dropped)}) {{ v =>\n{body} }})"
        if node.type == "struct_expression":
            choices = []
            for n, m in of.items():
                start, end = self.span(m)
                rest = self.source[end : node.end_byte].decode().lstrip()
                rest = rest[1:] if rest.startswith(",") else rest
                choices.append((n, self.source[node.start_byte : start].decode() + rest))
            return f"({group} " + chain(choices, self.inner(node, dropped)) + ")"
        if node.type == "block":
            lines = [f"if crate::bent::m({n}) {{ return {m['replacement']}; }} /*M{n}*/\n" for n, m in of.items()]
            return "{" + group + "\n" + "".join(lines) + self.inner(node, dropped)[1:]
        if node.type == "match_pattern":
            condition = node.child_by_field_name("condition")
            head = self.source[node.start_byte : (condition or node).start_byte if condition else node.end_byte].decode()
            guard = f"({self.draw(condition, dropped)})" if condition else "true"
            for n, m in of.items():
                if m["genre"] == "MatchArmGuard" and m["replacement"] == "true":
                    guard = f"(crate::bent::m({n}) || /*M{n}*/\n {guard})"
                else:
                    guard = f"(!crate::bent::m({n}) && /*M{n}*/\n {guard})"
            return f"{head} {guard}" if condition else f"{head} if {group} {guard}"
        raise AssertionError(node.type)


def errors(crate):
    """Lines at which the crate does not compile."""
    command = ["cargo", "check", "--quiet", "--tests", "--message-format", "json"]
    run = subprocess.run(command, cwd=crate, capture_output=True, text=True)
    found = []
    for line in run.stdout.splitlines():
        message = json.loads(line).get("message")
        if not isinstance(message, dict) or message.get("level") != "error":
            continue
        spans = [s for s in message["spans"] if s["is_primary"]] or message["spans"]
        if not spans:
            continue
        while spans[0].get("expansion") and not spans[0]["file_name"].startswith("src/"):
            spans = [spans[0]["expansion"]["span"]]
        found.append((spans[0]["file_name"], spans[0]["line_start"], spans[0]["line_end"], message["message"]))
    if run.returncode and not found:
        sys.exit(run.stderr)
    return found


def arms(text, line, wanted):
    """The arms that are taken out of the match whose value stands at a line."""
    source, best = text.encode(), None
    stack = [PARSER.parse(source).root_node]
    while stack:
        node = stack.pop()
        stack += node.children
        if node.type == "match_expression":
            value = node.child_by_field_name("value")
            if value.start_point[0] <= line - 1 <= value.end_point[0]:
                best = node if best is None or node.start_byte > best.start_byte else best
    found = set()
    for arm in best.child_by_field_name("body").children if best else ():
        pattern = arm.child_by_field_name("pattern")
        if pattern is not None:
            shown = source[pattern.start_byte : pattern.end_byte].decode()
            found |= {int(n) for n in re.findall(r"/\*M(\d+)\*/", shown)} & wanted
    return found


def build(crate, listed):
    files, every = {}, {}
    by_file = collections.defaultdict(dict)
    for number, mutant in enumerate(json.load(open(listed))):
        every[number] = mutant
        by_file[mutant["file"]][number] = mutant
    for name, mutants in by_file.items():
        path = os.path.join(crate, name)
        # A choice at run time is none of a constant's, and hardly any of these is one's.
        files[name] = File(path, re.sub(r"\bconst fn\b", "/**/  fn", open(path).read()), mutants)
    lib = os.path.join(crate, "src/lib.rs")
    with open(lib, "a") as out:
        out.write(SUPPORT)
    unplaced = {n for f in files.values() for n in f.unplaced}
    # What such a function answers with is of one type only.
    opaque = {n for n, m in every.items() if m["genre"] == "FnValue" and "impl " in (m["function"]["return_type"] or "")}
    dropped = unplaced | opaque
    for turn in range(40):
        drawn = {name: f.render(dropped) for name, f in files.items()}
        for name, text in drawn.items():
            with open(files[name].path, "w") as out:
                out.write(text)
        wrong, new = errors(crate), set()
        print(f"turn {turn}: {len(wrong)} errors, {len(dropped)} taken out", flush=True)
        if not wrong:
            break
        for name, first, last, message in wrong:
            if name not in drawn:
                print("elsewhere:", name, first, message)
                continue
            if message.startswith("non-exhaustive patterns"):
                new |= arms(drawn[name], first, {n for n, m in every.items() if m["genre"] == "MatchArm"})
                continue
            lines = drawn[name].split("\n")
            here = "\n".join(lines[first - 1 : last])
            one = {int(n) for n in re.findall(r"/\*M(\d+)\*/", here)}
            group = {int(n) for g in re.findall(r"/\*G([\d,]+)\*/", here) for n in g.split(",")}
            if one or group:
                new |= one or group
                continue
            for back in range(first - 1, max(0, first - 60), -1):
                ids = re.findall(r"/\*[MG]([\d,]+)\*/", lines[back])
                if ids:
                    new |= {int(n) for g in ids for n in g.split(",")}
                    break
        if not new - dropped:
            print("\n".join(f"{n}:{l}: {m}" for n, l, _, m in wrong))
            sys.exit("stuck")
        dropped |= new
    names = {n: every[n]["name"] for n in every}
    json.dump(
        {"names": names, "unplaced": sorted(unplaced), "do not compile": sorted(dropped - unplaced)},
        open(os.path.join(crate, "bends.json"), "w"),
    )
    command = ["cargo", "test", "--quiet", "--no-run", "--lib", "--message-format", "json"]
    run = subprocess.run(command, cwd=crate, capture_output=True, text=True)
    programs = [json.loads(line).get("executable") for line in run.stdout.splitlines()]
    program = next((p for p in programs if p), None)
    if not program:
        sys.exit(run.stderr)
    shutil.copy(program, os.path.join(crate, "program"))
    print(f"{len(every)} mutants, {len(unplaced)} of kinds that are not bent here, {len(dropped) - len(unplaced)} do not compile")


def run(program, crate, tests, environment, limit):
    """Whether all is well, or None if it ran out of time; and what was said until then."""
    arguments = [program, "--exact", "--test-threads=1", *tests]
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(
            arguments, cwd=crate, env={**os.environ, "RUST_BACKTRACE": "0", **environment},
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )
        try:
            well = child.wait(timeout=limit) == 0
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            well = None
        output.seek(0)
        return well, output.read()


def trace(crate, leave_out):
    program = os.path.abspath(os.path.join(crate, "program"))
    listed = subprocess.run([program, "--list", "--format", "terse"], capture_output=True, text=True).stdout
    tests = [line[: -len(": test")] for line in listed.splitlines() if line.endswith(": test")]
    tests = [t for t in tests if not (leave_out and re.search(leave_out, t))]
    reached = {}

    def one(test):
        with tempfile.NamedTemporaryFile() as file:
            began = time.monotonic()
            well, output = run(program, crate, [test], {"BENT_TRACE": file.name}, 900)
            took = time.monotonic() - began
            if not well:
                print(f"{test} fails unbent\n{output[-2000:]}", flush=True)
                return
            ids = [int(n) for n in open(file.name).read().split()]
            reached[test] = (took, ids)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, tests))
    json.dump(reached, open(os.path.join(crate, "reached.json"), "w"))
    print(f"{len(reached)} tests, {sum(t for t, _ in reached.values()):.0f} s")


def ask(crate, result_file):
    program = os.path.abspath(os.path.join(crate, "program"))
    bends = json.load(open(os.path.join(crate, "bends.json")))
    reached = json.load(open(os.path.join(crate, "reached.json")))
    out = set(bends["unplaced"]) | set(bends["do not compile"])
    by = collections.defaultdict(list)
    for test, (took, ids) in reached.items():
        for number in ids:
            by[number].append((took, test))
    results = json.load(open(result_file)) if os.path.exists(result_file) else {}
    # A machine that was busy may be what ran out of time.
    known = {name for name, became in results.items() if not became.startswith("out of time")}
    todo = [int(n) for n, name in bends["names"].items() if int(n) not in out and name not in known]
    lock, count = threading.Lock(), [0]

    def one(number):
        name, tests = bends["names"][str(number)], sorted(by[number])
        became = "missed" if tests else "not reached"
        size, at, hung = 1.0, 0, []
        while at < len(tests):
            chunk, total = [], 0.0
            while at < len(tests) and (not chunk or total + tests[at][0] <= size) and len(chunk) < 400:
                chunk.append(tests[at][1])
                total += tests[at][0]
                at += 1
            well, output = run(program, crate, chunk, {"BENT": str(number)}, total * 4 + 15)
            failed = re.findall(r"^test (\S+) \.\.\. FAILED", output, re.M)
            if failed or well is False:
                became = "caught by " + (failed[0] if failed else "an abort")
                break
            if well is None:
                # Without the one that does not end: another may fail.
                done = re.findall(r"^test (\S+) \.\.\. ok", output, re.M)
                began = re.findall(r"^test (\S+) \.\.\. $", output, re.M)
                hung.append((began or [test for test in chunk if test not in done])[-1])
                if len(hung) == MOST_HUNG:
                    break
                left = set(chunk) - {*done, hung[-1]}
                tests = tests[:at] + [it for it in tests[:at] if it[1] in left] + tests[at:]
            size = min(size * 4, 8.0)
        if hung and not became.startswith("caught"):
            became = "out of time: " + " ".join(hung)
        with lock:
            results[name] = became
            count[0] += 1
            if not became.startswith("caught"):
                print(f"{name}: {became}", flush=True)
            if count[0] % 50 == 0:
                print(f"{count[0]} of {len(todo)}", flush=True)
            if count[0] % 10 == 0:
                json.dump(results, open(result_file, "w"), indent=0)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, todo))
    json.dump(results, open(result_file, "w"), indent=0)
    kinds = collections.Counter(became.split(" by")[0].split(":")[0] for became in results.values())
    print(dict(kinds))


if __name__ == "__main__":
    {"build": build, "trace": trace, "ask": ask}[sys.argv[1]](*sys.argv[2:])
