"""Writes types.jsonl.gz: what PostgreSQL answers to every operator over every pair of SQL types.

    python type_pairs.py | gzip -9n > types.jsonl.gz

psql is on PATH; PGHOST, PGPORT and PGUSER name a scratch server. Each line has one pair of constants as
SQL text, in PostgreSQL's words and in ours, and per template the answer as text, null for NULL, or "error".
"""

import itertools
import json
import re
import subprocess
import sys

TEMPLATES = [
    "x = y", "x <> y", "x < y", "x <= y", "x > y", "x >= y", "x IS DISTINCT FROM y", "x BETWEEN y AND y", "x IN (y, y)", "x NOT IN (y)",
    "x + y", "x - y", "x * y", "x / y", "x % y", "x || y", "x & y", "x AND y", "x OR y", "x LIKE y",
    "CASE WHEN TRUE THEN x ELSE y END", "CASE x WHEN y THEN 1 ELSE 2 END", "coalesce(NULL, x, y)", "nullif(x, y)", "greatest(x, y)", "least(x, y)",
    "(SELECT max(v::text) FROM (SELECT x AS v UNION ALL SELECT y) u)", "(SELECT count(*) FROM (SELECT x AS v UNION SELECT y) u)",
    "(SELECT count(*) FROM (SELECT x AS v) a JOIN (SELECT y AS v) b USING (v))",
    "(SELECT count(*) FROM (SELECT x AS v) a WHERE v IN (SELECT y))",
]

# name here, name there, values
TYPES = [
    ("BOOLEAN", "boolean", ["true", "false"]),
    ("SMALLINT", "smallint", ["7", "-3"]),
    ("INTEGER", "integer", ["7", "2000000000"]),
    ("BIGINT", "bigint", ["-3", "9007199254740993"]),
    ("DECIMAL(10,2)", "numeric(10,2)", ["7.00", "-2.55"]),
    ("DECIMAL(38,10)", "numeric(38,10)", ["0.1", "9007199254740993.5"]),
    ("FLOAT", "real", ["0.5", "0.1"]),
    ("DOUBLE", "double precision", ["0.1", "7"]),
    ("VARCHAR", "text", ["7", "abc"]),
    ("BLOB", "bytea", ["7", "abc"]),
    ("DATE", "date", ["2024-02-29", "2024-03-01"]),
    ("TIME", "time", ["00:00:01", "23:59:59.5"]),
    ("TIMESTAMP", "timestamp", ["2024-02-29 00:00:00", "2024-02-29 12:00:00.5"]),
    ("TIMESTAMPTZ", "timestamptz", ["2024-02-29 00:00:00+00", "2024-03-01 00:00:00+01"]),
    ("INTERVAL", "interval", ["1 day", "24:00:01"]),
]


def main():
    constants = [(f"CAST('{v}' AS {t})", f"CAST('{v}' AS {p})", t) for t, p, values in TYPES for v in values]
    # Literals without a type: they take that of the other side.
    constants += [(v, v, "literal") for v in ["7", "0.1", "1.6", "'7'", "'2024-02-29'", "NULL", "TRUE"]]
    pairs = [p for p in itertools.product(constants, constants) if p[0][2] != "literal" or p[1][2] != "literal"]
    script = ["""\\set ON_ERROR_STOP 1
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.ask(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text; BEGIN EXECUTE q INTO r; RETURN r; EXCEPTION WHEN OTHERS THEN RETURN 'error'; END $$;"""]
    for x, y in pairs:
        for t in TEMPLATES:
            q = re.sub(r"\b[xy]\b", lambda m: {"x": x, "y": y}[m.group()][1], t).replace("'", "''")
            script.append(f"SELECT coalesce(pg_temp.ask('SELECT ({q})::text'), '<null>');")
    out = subprocess.run(["psql", "-qAtX"], input="\n".join(script), capture_output=True, text=True, check=True)
    answers = out.stdout.splitlines()
    if len(answers) != len(pairs) * len(TEMPLATES):
        sys.exit(f"{len(answers)} answers: {out.stderr}")
    version = subprocess.run(["psql", "-qAtXc", "SHOW server_version"], capture_output=True, text=True, check=True)
    print(json.dumps({"postgres": version.stdout.strip(), "templates": TEMPLATES}))
    for i, (x, y) in enumerate(pairs):
        row = answers[i * len(TEMPLATES):(i + 1) * len(TEMPLATES)]
        row = [None if a == "<null>" else a for a in row]
        print(json.dumps({"x": x[0], "y": y[0], "answers": row}, separators=(",", ":")))


if __name__ == "__main__":
    main()
