"""Writes decimals.jsonl.gz: what PostgreSQL answers to expressions over pairs of decimals.

    python decimals.py | gzip -9n > decimals.jsonl.gz

psql is on PATH; PGHOST, PGPORT and PGUSER name a scratch server. The pairs come from a generator with a fixed
seed: types of any precision and scale of up to 38 digits, integers, and values at the borders of the types, near each
other, and with few or many digits. Each line is one pair: the SQL text of both sides, and per template of
TEMPLATES the answer as text, null for NULL, or "error". PostgreSQL's numeric has no bound of 38 digits, so
an answer that needs more is for the test to judge.
"""

import json
import random
import subprocess
import sys

TEMPLATES = [
    "x = y", "x <> y", "x < y", "x <= y", "x > y", "x >= y", "x IS DISTINCT FROM y",
    "x BETWEEN y AND y + 1", "x NOT BETWEEN y AND x", "x IN (y, 1.6, -3)", "x NOT IN (y, 0)",
    "coalesce(x, y)", "coalesce(NULL, y, x)", "CASE WHEN x < y THEN x ELSE y END", "greatest(x, y)", "least(x, y)",
    "nullif(x, y)", "x + y", "x - y", "x * y", "x / y", "x % y", "-x", "abs(x)",
    "CASE x WHEN y THEN 'same' ELSE 'other' END",
    "(SELECT max(v) FROM (SELECT x AS v UNION ALL SELECT y) u)",
    "(SELECT count(*) FROM (SELECT x AS v UNION SELECT y) u)",
    "(SELECT count(*) FROM (SELECT x AS v) a JOIN (SELECT y AS v) b ON a.v = b.v)",
    "(SELECT count(*) FROM (SELECT x AS v) a JOIN (SELECT y AS v) b USING (v))",
    "(SELECT count(*) FROM (SELECT x AS v) a WHERE v IN (SELECT y))",
    "(SELECT sum(v) FROM (SELECT x AS v UNION ALL SELECT y) u)",
    "(SELECT avg(v) FROM (SELECT x AS v UNION ALL SELECT y) u)",
    "(SELECT min(v) FROM (VALUES (x), (y)) u(v))",
    "(SELECT count(*) FROM (SELECT sum(v) AS s FROM (SELECT x AS v) u HAVING sum(v) > y) w)",
    "sum_of(x) / sum_of(y)",
]


def decimal(rng):
    """A type and a value of it."""
    if rng.random() < 0.25:
        name, digits = rng.choice([("SMALLINT", 4), ("INTEGER", 9), ("BIGINT", 18)])
        return name, str(rng.choice([0, 1, -1, 2, rng.randrange(-(10**digits), 10**digits)])), 0
    precision = rng.choice([1, 2, 3, 5, 9, 10, 15, 18, 19, 20, 28, 37, 38, rng.randint(1, 38)])
    scale = rng.choice([0, min(2, precision), precision, rng.randint(0, precision)])
    digits = min(precision, rng.choice([1, 2, precision, rng.randint(1, precision)]))
    n = rng.choice([0, 1, 10**digits - 1, rng.randrange(10**digits), rng.randrange(10**digits)])
    return f"DECIMAL({precision},{scale})", text(n * rng.choice([1, 1, -1]), scale), scale


def text(n, scale):
    sign, n = "-" if n < 0 else "", str(abs(n)).rjust(scale + 1, "0")
    return sign + (n[:-scale] + "." + n[-scale:] if scale else n)


def pair(rng):
    (tx, x, sx), (ty, y, sy) = decimal(rng), decimal(rng)
    if rng.random() < 0.3 and tx.startswith("DECIMAL"):
        # The same number, or one that differs in the last digit, in a type of another scale.
        n = int(x.replace(".", ""))
        whole = len(str(abs(n))) - sx
        more = rng.randint(0, max(0, 38 - max(whole, 0) - sx - 1))
        n = n * 10**more + rng.choice([0, 0, 1, -1])
        scale = sx + more
        precision = max(scale, len(str(abs(n))), 1)
        if precision <= 38:
            ty, y = f"DECIMAL({precision},{scale})", text(n, scale)
    if rng.random() < 0.04:
        x = None
    return [f"CAST({literal(x)} AS {tx})", f"CAST({literal(y)} AS {ty})"]


def literal(v):
    return "NULL" if v is None else f"'{v}'"


def main():
    rng = random.Random(12)
    pairs = [pair(rng) for _ in range(300)]
    script = ["""\\set ON_ERROR_STOP 1
CREATE FUNCTION pg_temp.ask(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text; BEGIN EXECUTE q INTO r; RETURN r; EXCEPTION WHEN OTHERS THEN RETURN 'error'; END $$;
CREATE FUNCTION pg_temp.sum_of(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT $1';"""]
    for p in pairs:
        for t in TEMPLATES:
            q = fill(t, p).replace("sum_of(", "pg_temp.sum_of(").replace("'", "''")
            script.append(f"SELECT coalesce(pg_temp.ask('SELECT ({q})::text'), '<null>');")
    out = subprocess.run(["psql", "-qAtX"], input="\n".join(script), capture_output=True, text=True, check=True)
    answers = out.stdout.splitlines()
    if len(answers) != len(pairs) * len(TEMPLATES):
        sys.exit(f"{len(answers)} answers: {out.stderr}")
    version = subprocess.run(["psql", "-qAtXc", "SHOW server_version"], capture_output=True, text=True, check=True)
    print(json.dumps({"postgres": version.stdout.strip(), "templates": TEMPLATES}))
    for i, p in enumerate(pairs):
        row = answers[i * len(TEMPLATES):(i + 1) * len(TEMPLATES)]
        print(json.dumps({"x": p[0], "y": p[1], "answers": [None if a == "<null>" else a for a in row]}, separators=(",", ":")))


def fill(template, p):
    """Puts the values in the place of the words x and y."""
    import re

    return re.sub(r"\b[xy]\b", lambda m: p[m.group() == "y"], template)


if __name__ == "__main__":
    main()
