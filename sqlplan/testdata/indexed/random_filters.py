"""Tables with scalar indices, and filters over them with the keys that DuckDB finds, for TestIndexedFiltersAgainstPylance.

    python random_filters.py DIR SEED COUNT

writes tables into DIR and, for each, NAME.json beside it: [{"where": …, "keys": […]}]. The filters mean the same in PostgreSQL's SQL,
ours and DuckDB's. The tables have every kind of index and a past: rows appended to some fragments after the indices were built,
deleted, updated, compacted with the indices rewritten, compacted with the rewriting put off, with and without stable row ids.
"""

import datetime as dt
import decimal
import json
import math
import random
import re
import sys
from pathlib import Path

import duckdb
import lance
import pyarrow as pa

WORDS = ["cat", "dog", "red", "blue", "sky", "Katze", "кошка", "photo of", "a", "", "zebra", "under_score", "it's"]
NAN, INF = math.nan, math.inf
UTC = dt.timezone.utc


def rows(rng, start, n):
    def maybe(v):
        return None if rng.random() < 0.08 else v

    def column(f):
        return [maybe(f(i)) for i in range(start, start + n)]

    def many(pick):
        return [maybe([maybe(pick()) for _ in range(rng.randrange(4))]) for _ in range(n)]

    floats = [NAN, INF, -INF, 0.0, -0.0, 0.1, 1.5, 1e-3]
    texts = column(lambda i: ("s" + str(rng.randrange(40))) if rng.random() < 0.9 else rng.choice(["", "ä%_", "s", "S1", "it's"]))
    words = column(lambda i: rng.choice(WORDS))
    place = [maybe({"zip": maybe(rng.randrange(100)), "in": maybe({"word": maybe(rng.choice(WORDS))})}) for _ in range(n)]
    return pa.table({
        "key": pa.array(range(start, start + n), pa.int64()),
        "i8": pa.array(column(lambda i: rng.choice([-128, 127, 0, 1, rng.randrange(-128, 128)])), pa.int8()),
        "i64": pa.array(column(lambda i: rng.choice([-2**63, 2**63 - 1, 2**53, 2**53 + 1, rng.randrange(40)])), pa.int64()),
        "u64": pa.array(column(lambda i: rng.choice([0, 1, 2**53, 2**53 + 1, 2**64 - 1, rng.randrange(50)])), pa.uint64()),
        "f32": pa.array(column(lambda i: rng.choice(floats + [rng.randrange(-30, 30) / 8])), pa.float32()),
        "f64": pa.array(column(lambda i: rng.choice(floats + [rng.randrange(-30, 30) / 10])), pa.float64()),
        "dec": pa.array(column(lambda i: decimal.Decimal(rng.randrange(-2000, 2000)).scaleb(-2)), pa.decimal128(10, 2)),
        "s": pa.array(texts, pa.string()),
        "dict": pa.array(words, pa.string()).dictionary_encode(),
        "bin": pa.array(column(lambda i: bytes([rng.randrange(4), 255, rng.randrange(3)])), pa.binary()),
        "flag": pa.array(column(lambda i: rng.random() < 0.3), pa.bool_()),
        "d": pa.array(column(lambda i: dt.date(1969, 12, 1) + dt.timedelta(days=rng.randrange(60))), pa.date32()),
        "ts": pa.array(column(lambda i: dt.datetime(1969, 12, 31) + dt.timedelta(microseconds=rng.randrange(4) * 43_200_000_000 + rng.randrange(3))), pa.timestamp("us")),
        "tz": pa.array(column(lambda i: dt.datetime(1969, 12, 31, tzinfo=UTC) + dt.timedelta(hours=rng.randrange(60))), pa.timestamp("us", "Europe/Berlin")),
        "tags": pa.array(many(lambda: rng.choice(WORDS)), pa.list_(pa.string())),
        "nums": pa.array(many(lambda: rng.randrange(6)), pa.list_(pa.int32())),
        "place": pa.array(place, pa.struct([("zip", pa.int32()), ("in", pa.struct([("word", pa.string())]))])),
        "txt": pa.array(column(lambda i: " ".join(rng.choice(WORDS) for _ in range(rng.randrange(8)))), pa.string()),
        "z": pa.array(column(lambda i: i + rng.randrange(5)), pa.int32()),
        "fz": pa.array(column(lambda i: rng.choice([NAN, i / 7])), pa.float64()),
        "bl": pa.array(column(lambda i: "b" + str(i)), pa.string()),
        "w": pa.array(column(lambda i: rng.randrange(20)), pa.int32()),
        "vec": pa.array([[rng.gauss(0, 1) for _ in range(4)] for _ in range(n)], pa.list_(pa.float32(), 4)),
    })


INDICES = [(c, "BTREE") for c in ["key", "i8", "i64", "u64", "f64", "dec", "s", "bin", "d", "ts", "tz", "place.zip"]] + [
    ("dict", "BITMAP"), ("flag", "BITMAP"), ("place.in.word", "BITMAP"), ("tags", "LABEL_LIST"), ("nums", "LABEL_LIST"), ("txt", "NGRAM"),
    ("z", "ZONEMAP"), ("fz", "ZONEMAP"), ("bl", "BLOOMFILTER")]


def index(ds):
    for column, kind in INDICES:
        try:
            ds.create_scalar_index(column, kind)
        except Exception as e:  # not every kind takes every type
            if column not in ("dict", "bin", "place.in.word"):
                raise RuntimeError(f"{column} {kind}") from e
    ds.create_index("vec", "IVF_FLAT", num_partitions=1)


def same(state):
    rng = random.Random()
    rng.setstate(state)
    return rng


def make(path, rng, kind):
    """A table and its past."""
    start = rng.getstate()
    if kind == "dense":  # one index over everything
        lance.write_dataset(rows(rng, 0, 400), path, max_rows_per_file=150)
        ds = lance.dataset(path)
        index(ds)
        return
    ds = lance.write_dataset(rows(rng, 0, 150), path, enable_stable_row_ids=kind in ("stable", "reused"))
    ds.insert(rows(rng, 150, 120))
    index(ds)
    ds.delete("key % 23 = 5")
    ds.insert(rows(rng, 270, 80))
    # pylance cannot add to an index of a nested column.
    ds.optimize.optimize_indices(num_indices_to_merge=0, index_names=[i["name"] for i in ds.list_indices() if "zip" not in i["name"] and "word" not in i["name"]])
    ds.update({"w": "w + 100", "i8": "7", "s": "'s1'", "txt": "'a photo of a zebra'", "z": "-5"}, where="key % 19 = 3")
    ds.delete("key % 29 = 8")
    if kind == "reused":  # no release of pylance puts that rewriting off: the test takes the moves of a twin with other row ids
        twin = f"{path}.twin"
        make(twin, same(start), "deferred")
        Path(f"{path}.before").write_text(str(ds.version))
    if kind in ("compacted", "stable", "reused"):
        ds.optimize.compact_files()
    if kind == "deferred":
        ds.optimize.compact_files(defer_index_remap=True)
    if kind == "reused":
        assert [f.fragment_id for f in lance.dataset(twin).get_fragments()][:-1] == [f.fragment_id for f in ds.get_fragments()]
    ds.insert(rows(rng, 350, 40))


NUMBERS = ["0", "1", "7", "7.0", "7.5", "-7.5", "-0.0", "0.1", "127", "128", "-129", "300", "9007199254740992", "9007199254740993", "18446744073709551615",
           "9223372036854775807", "-1", "1.5", "1.505", "99999999999", "'NaN'::double", "'Infinity'::double", "'-Infinity'::double", "0.1::real", "0.1::double", "CAST(5 AS bigint)", "NULL"]
TEXTS = ["'s1'", "'s3'", "''", "'s'", "'ä%_'", "'nowhere'", "'it''s'", "NULL"]
LABELS = ["'cat'", "'dog'", "'Katze'", "'кошка'", "''", "'nowhere'", "'it''s'"]
CONSTANTS = {
    "key": ["17", "200", "349", "351", "1000", "-3", "17.5", "NULL"],
    **{c: NUMBERS for c in ("i8", "i64", "u64", "f64", "dec", "place.zip", "w")},
    "f32": [n for n in NUMBERS if n != "0.1"],  # to DuckDB a float, to PostgreSQL and us a double
    "s": TEXTS, "dict": LABELS, "place.in.word": LABELS, "txt": ["'cat'", "'a photo of a zebra'", "''"], "bl": ["'b17'", "'b300'", "'b0'", "'c'"],
    "z": ["100", "300", "50", "60", "20", "330", "-5", "1e3", "NULL"], "fz": ["10", "20", "30.5", "'NaN'::double", "1e300", "NULL"],
    "d": ["DATE '1969-12-31'", "DATE '1970-01-01'", "TIMESTAMP '1969-12-31 12:00:00'", "DATE '2300-01-01'", "TIMESTAMP '1970-01-05 00:00:00'"],
    "ts": ["TIMESTAMP '1969-12-31 12:00:00'", "TIMESTAMP '1969-12-31 00:00:00.000001'", "DATE '1970-01-01'", "NULL"],
    "tz": ["TIMESTAMPTZ '1970-01-01 00:00:00+00'", "TIMESTAMPTZ '1970-01-01 12:00:00+02'", "TIMESTAMPTZ '1969-12-31 10:30:00+05:30'", "TIMESTAMPTZ '1950-01-01 00:00:00Z'"],
    "bin": ["from_hex('01ff02')", "from_hex('00')", "from_hex('03ff00')", "from_hex('')"],  # PostgreSQL writes '\\x01ff02'::bytea
    "tags": LABELS, "nums": ["1", "2", "5", "9"],
}


def leaf(rng):
    c = rng.choice(list(CONSTANTS))
    pick = CONSTANTS[c]

    def some():
        return ", ".join(rng.choice(pick) for _ in range(rng.randint(1, 4)))
    kind = rng.randrange(12)
    if kind in (7, 8) and c in ("i64", "u64"):
        pick = [p for p in pick if "::" not in p]  # with a double among them DuckDB compares all as doubles, we each by itself
    if kind == 0:
        return f"{c} IS {rng.choice(['', 'NOT '])}NULL"
    if c in ("tags", "nums"):
        items = f"[{some()}]"
        return rng.choice([f"array_has({c}, {rng.choice(pick)})", f"array_has_any({c}, {items})", f"array_has_all({c}, {items})", f"{c} && {items}", f"{c} @> {items}", f"{items} <@ {c}"])
    if c in ("s", "dict", "place.in.word", "txt", "bl") and kind < 7:
        piece = rng.choice(["s1", "s", "c", "at", "ca", "photo of", "зеб", "кош", "zebra", "b1", "", "K"])
        other = rng.choice(["zebra", "t", "1", "a"])
        return rng.choice([f"{c} LIKE '{piece}%'", f"{c} LIKE '%{piece}%'", f"{c} NOT LIKE '%{piece}%'", f"{c} LIKE '%{piece}%{other}%'", f"{c} LIKE '{piece}_'", f"starts_with({c}, '{piece}')",
                           f"contains({c}, '{piece}')", f"{c} NOT LIKE '{piece}%'", f"{c} LIKE '{piece}'", f"{c} LIKE 'u%r!_s%' ESCAPE '!'"])
    if kind == 7:
        return f"{c} {rng.choice(['', 'NOT '])}BETWEEN {rng.choice(pick)} AND {rng.choice(pick)}"
    if kind == 8:
        return f"{c} {rng.choice(['', 'NOT '])}IN ({some()})"
    if kind == 9:
        return f"{c} IS {rng.choice(['', 'NOT '])}DISTINCT FROM {rng.choice(pick)}"
    return f"{c} {rng.choice(['=', '<>', '<', '<=', '>', '>='])} {rng.choice(pick)}"


def condition(rng, depth):
    node = rng.randrange(10) if depth else 10
    if node < 3:
        return f"({condition(rng, depth - 1)} AND {condition(rng, depth - 1)})"
    if node < 6:
        return f"({condition(rng, depth - 1)} OR {condition(rng, depth - 1)})"
    if node < 8:
        return f"NOT ({condition(rng, depth - 1)})"
    if node == 8:
        return "flag" if rng.random() < 0.5 else f"({condition(rng, depth - 1)}) IS {rng.choice(['TRUE', 'NOT TRUE', 'FALSE', 'NOT FALSE'])}"
    return leaf(rng)


def main():
    folder, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for kind in ["dense", "history", "compacted", "deferred", "stable", "reused"]:
        rng = random.Random(f"{seed} {kind}")
        path = folder / f"{kind}.lance"
        make(str(path), rng, kind)
        ds = lance.dataset(str(path))
        con = duckdb.connect()
        con.execute("SET TimeZone = 'UTC'")
        data = ds.to_table()
        con.execute(f"CREATE TABLE {kind} AS SELECT * FROM data")
        out, failed = [], 0
        while len(out) < count:
            where = condition(rng, rng.choice([0, 0, 1, 2, 3]))
            if rng.randrange(12) == 0:
                where += f" AND {rng.choice(['key', 'i8', 'w'])} {rng.choice(['', 'NOT '])}IN (SELECT w FROM {kind} WHERE key < {rng.choice(['30', '60', '-1'])})"
            try:
                keys = [k for k, in con.execute(f"SELECT key FROM {kind} WHERE {where} ORDER BY key").fetchall()]
            except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.BinderException):
                failed += 1  # a constant that DuckDB casts to the column's type, which cannot hold it
                continue
            where = re.sub(r"from_hex\('(\w*)'\)", r"'\\x\1'::bytea", where)
            out.append({"where": where, "keys": keys})
        path.with_suffix(".json").write_text(json.dumps(out))
        print(kind, len(data), "rows", len(out), "filters,", failed, "not DuckDB's;", ", ".join(f"{i['name']} {i['type']}" for i in ds.list_indices()))


if __name__ == "__main__":
    main()
