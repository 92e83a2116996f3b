"""Asks DuckDB about the statements in logic/*.sql and writes the answers to logic/*.json.

    pip install duckdb pylance pyarrow
    python oracle.py FIXTURES        # the folder with laion_v2_2.lance and the others

DuckDB reads the fixtures through pylance. A statement ends with ";" at the end of a line. Comments in
front of it say how it is asked and compared:

    -- duckdb: SELECT …    what DuckDB is asked instead, where its SQL differs from PostgreSQL's
    -- unordered           rows are compared as a multiset
    -- error: TEXT         DuckDB is not asked: the statement must fail, and the message contains TEXT
    -- expect: JSON        DuckDB is not asked: the rows are these
"""

import base64
import datetime
import decimal
import glob
import json
import math
import os
import sys

import duckdb
import lance
import pyarrow as pa

TABLES = {
    "train": ("laion_v2_2", None),
    "history": ("laion_history", None),
    "deleted": ("deletions_arrow_and_bitmap", None),
    "types": ("types_v2_2", [
        "key", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bool",
        "int64_all_null", "string_all_null", "decimal128_10_2", "date32", "time64_us", "timestamp_us", "timestamp_ms",
        "string", "large_string", "binary", "string_low_cardinality", "list_int32", "list_string", "dictionary_int32_string",
        "struct_nested", "float64_all_nan",
    ]),
}


def statements(path):
    notes, lines = {}, []
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        if not lines and line.startswith("-- "):
            key, _, value = line[3:].partition(":")
            if key in ("duckdb", "unordered", "error", "expect"):
                notes[key] = value.strip()
            continue
        if not line.strip():
            continue
        lines.append(line)
        if line.endswith(";"):
            yield "\n".join(lines)[:-1], notes
            notes, lines = {}, []
    assert not lines, f"{path}: the last statement does not end: {lines}"


def plain(v):
    """The JSON form of a value; the Go test makes the same of Arrow values."""
    if v is None or isinstance(v, (bool, str)):
        return v
    if isinstance(v, int):
        return v if abs(v) < 2**53 else {"int": str(v)}
    if isinstance(v, float):
        return {"float": repr(v)} if math.isnan(v) or math.isinf(v) else v
    if isinstance(v, decimal.Decimal):
        return {"int": str(int(v))} if v == v.to_integral_value() and abs(v) >= 2**53 else float(v)
    if isinstance(v, (bytes, bytearray)):
        return {"bytes": base64.b64encode(v).decode()}
    if isinstance(v, datetime.datetime):
        return v.replace(tzinfo=None).isoformat(sep=" ")
    if isinstance(v, (datetime.date, datetime.time)):
        return v.isoformat()
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, dict):
        return {"struct": [plain(x) for x in v.values()]}
    raise TypeError(f"{type(v)}: {v!r}")


def main(fixtures):
    con = duckdb.connect()
    con.execute("SET default_null_order='postgres'; SET TimeZone='UTC'; SET threads=1")
    for name, (fixture, columns) in TABLES.items():
        table = lance.dataset(os.path.join(fixtures, fixture + ".lance")).to_table(columns=columns)
        con.register(name, table)
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(os.path.join(here, "logic", "*.sql"))):
        answers = []
        for sql, notes in statements(path):
            answer = {"sql": sql}
            if "unordered" in notes:
                answer["unordered"] = True
            if "error" in notes:
                answer["error"] = notes["error"]
            elif "expect" in notes:
                answer["rows"] = json.loads(notes["expect"])
            else:
                try:
                    rows = con.execute(notes.get("duckdb", sql)).fetchall()
                except Exception as e:
                    sys.exit(f"{path}: {sql}\n{e}")
                answer["rows"] = [plain(list(r)) for r in rows]
            answers.append(answer)
        with open(path[:-4] + ".json", "w", encoding="utf-8") as f:
            f.write("[\n" + ",\n".join(json.dumps(a, ensure_ascii=False) for a in answers) + "\n]\n")
        print(os.path.basename(path), len(answers))


if __name__ == "__main__":
    main(sys.argv[1])
