#!/usr/bin/env python3
"""Writes precedence.tsv: what DuckDB says about what binds to what.

Each line holds a text with every operation in parentheses, the same text with some of the
parentheses left out, and "same" or "other": whether DuckDB parses both to one tree
(json_serialize_sql, without positions, nested conjunctions flattened). Texts that DuckDB refuses are
left out. Usage: regenerate.py > precedence.tsv   (needs the duckdb package; made with 2.0.0)

Left out are operators whose level is DuckDB's own, and not PostgreSQL's, which we follow: -> (there the
arrow of a lambda), ~ between two operands (there at the level of LIKE), & | << >> and ~ before an
operand (there tighter than ||); and arithmetic right behind IS TRUE, where DuckDB nests it to the right:
a IS FALSE + b - c is (a IS FALSE) + (b - c) there.
"""
import json
import random
import re

import duckdb

rng = random.Random(20260101)
con = duckdb.connect()
LEAVES = ["a", "b", "c", "t.d", "1", "2.5", "'x'", "NULL", "TRUE", "f(a)", "[1, 2]", "(SELECT 1)"]
BINARY = ["OR", "AND", "=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "^", "||", "<->", "<=>"]


def tree(depth):
    """A text as a list of pieces; a nested list is an operation that full text has in parentheses."""
    if depth == 0 or rng.random() < 0.15:
        return [rng.choice(LEAVES)]
    kind = rng.randrange(16)
    sub = lambda: tree(depth - 1)
    nots = rng.choice(["", "NOT "])
    if kind < 8:
        return [sub(), " " + rng.choice(BINARY) + " ", sub()]
    if kind == 8:
        return ["NOT ", sub()]
    if kind == 9:
        return ["- ", sub()]
    if kind == 10:
        return [sub(), " IS " + nots + rng.choice(["NULL", "TRUE", "FALSE"])]
    if kind == 11:
        return [sub(), " IS " + nots + "DISTINCT FROM ", sub()]
    if kind == 12:
        return [sub(), " " + nots + "BETWEEN ", sub(), " AND ", sub()]
    if kind == 13:
        return [sub(), " " + nots + "IN (1, ", [rng.choice(LEAVES)], ")"]
    if kind == 14:
        return [sub(), " " + nots + rng.choice(["LIKE ", "ILIKE "]), sub()]
    return [sub(), rng.choice(["::INTEGER", "[1]", "::VARCHAR"])]


def write(t, keep):
    """The text of a tree; parentheses around each operation stand with probability keep."""
    if len(t) == 1:
        return t[0]
    out = []
    for piece in t:
        if isinstance(piece, str):
            out.append(piece)
        else:
            text = write(piece, keep)
            out.append("(" + text + ")" if len(piece) > 1 and rng.random() < keep else text)
    return "".join(out)


def strip(x):
    if isinstance(x, dict):
        x = {k: strip(v) for k, v in x.items() if not k.startswith("query_location")}
        if x.get("class") == "CONJUNCTION":
            x["children"] = [d for c in x["children"]
                             for d in (c["children"] if c.get("type") == x["type"] else [c])]
        return x
    if isinstance(x, list):
        return [strip(v) for v in x]
    return x


def parse(text):
    j = json.loads(con.execute("SELECT json_serialize_sql(?)", ["SELECT " + text + " FROM t"]).fetchone()[0])
    return None if j["error"] else json.dumps(strip(j), sort_keys=True)


QUIRK = re.compile(r"IS (NOT )?(TRUE|FALSE|NULL) [-+*/%^|<]")
seen = set()
while len(seen) < 1500:
    t = tree(rng.choice([2, 2, 3]))
    full, less = write(t, 1), write(t, rng.choice([0, 0.3]))
    if full == less or (full, less) in seen or QUIRK.search(less):
        continue
    a, b = parse(full), parse(less)
    if a is None or b is None:
        continue
    seen.add((full, less))
    print(full, less, "same" if a == b else "other", sep="\t")
