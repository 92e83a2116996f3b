"""Writes tables with scalar indices of every kind for the tests of lancefmt/index.

    python make.py DIR                 all tables but random ones, into DIR
    python make.py DIR NAME ...        some of them; random:FIRST:COUNT are random tables by seed

The tests compare what an index says with the rows themselves, so a table comes with no answers but
DIR/NAME.json: conditions, and the rows for which pylance finds them true and NULL without an index.

Works with pylance 0.20 and later; what an old version cannot index is left out and said so.
"""

import datetime
import decimal
import inspect
import json
import math
import random
import shutil
import sys
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa

WRITER = tuple(int(x) for x in lance.__version__.split(".")[:2])
NULL_EVERY = 9


def nulls(rng, values):
    return [None if rng.random() < 1 / NULL_EVERY else v for v in values]


def words(rng, n):
    stems = ["lance", "Straße", "café", "ÆRØ", "İstanbul", "naïve", "数据", "data", "Łódź", "x", "", "a1b2", "Ǆ", "ŉ", "½ cup", "ﬁne", "e\u0301t\u0301",
             "UPPER lower", "ß", "ÿ", "ħŧŋĸ", "þing", "ĳssel", "under_score", "tab\ttab", "K\u212Aelvin"]
    return [" ".join(rng.choice(stems) for _ in range(rng.randrange(4))) for _ in range(n)]


def floats(rng, n):
    special = [0.0, -0.0, math.inf, -math.inf, math.nan, -math.nan, 1.5, -1.5, 5e-324]
    return [rng.choice(special) if rng.random() < 0.3 else round(rng.uniform(-50, 50), 1) for _ in range(n)]


def moments(rng, n, unit):
    return [rng.randrange(-500, 500) * unit for _ in range(n)]


def every_type(rng, n):
    """Columns of each type that a scalar index may have, with NULLs."""
    ints = lambda lo, hi: nulls(rng, [rng.randrange(lo, hi) for _ in range(n)])
    blobs = lambda size: nulls(rng, [bytes(rng.choice([0, 1, 0x7F, 0xFF]) for _ in range(rng.randrange(size))) for _ in range(n)])
    f64 = floats(rng, n)
    f64[0] = np.uint64(0xFFF8000000000001).view(np.float64)  # a NaN with a sign
    columns = {
        "bool": pa.array(nulls(rng, [rng.random() < 0.5 for _ in range(n)]), pa.bool_()),
        "int8": pa.array(ints(-128, 128), pa.int8()),
        "int16": pa.array(ints(-300, 300), pa.int16()),
        "int32": pa.array(ints(-300, 300), pa.int32()),
        "int64": pa.array(ints(-(2**62), 2**62), pa.int64()),
        "uint8": pa.array(ints(0, 256), pa.uint8()),
        "uint16": pa.array(ints(0, 600), pa.uint16()),
        "uint32": pa.array(ints(2**32 - 600, 2**32), pa.uint32()),
        "uint64": pa.array(ints(2**64 - 600, 2**64), pa.uint64()),
        "float16": pa.array([None if v is None else np.float16(v) for v in nulls(rng, floats(rng, n))], pa.float16()),
        "float32": pa.array(nulls(rng, floats(rng, n)), pa.float32()),
        "float64": pa.array([f64[0]] + nulls(rng, f64[1:]), pa.float64()),
        "string": pa.array(nulls(rng, words(rng, n)), pa.string()),
        "large_string": pa.array(nulls(rng, words(rng, n)), pa.large_string()),
        "binary": pa.array(blobs(6), pa.binary()),
        "large_binary": pa.array(blobs(3), pa.large_binary()),
        "fixed_binary": pa.array(nulls(rng, [bytes(rng.choice([0, 0x7F, 0xFF]) for _ in range(4)) for _ in range(n)]), pa.binary(4)),
        "date32": pa.array(nulls(rng, [datetime.date(2020, 1, 1) + datetime.timedelta(days=d) for d in moments(rng, n, 1)]), pa.date32()),
        "date64": pa.array(nulls(rng, moments(rng, n, 86_400_000)), pa.date64()),
        "time32_s": pa.array(nulls(rng, [abs(v) for v in moments(rng, n, 60)]), pa.time32("s")),
        "time32_ms": pa.array(nulls(rng, [abs(v) for v in moments(rng, n, 60)]), pa.time32("ms")),
        "time64_us": pa.array(nulls(rng, [abs(v) for v in moments(rng, n, 10**6)]), pa.time64("us")),
        "time64_ns": pa.array(nulls(rng, [abs(v) for v in moments(rng, n, 10**6)]), pa.time64("ns")),
        "decimal128": pa.array(nulls(rng, [decimal.Decimal(v).scaleb(-2) for v in moments(rng, n, 7)]), pa.decimal128(20, 2)),
        "decimal256": pa.array(nulls(rng, [decimal.Decimal(v).scaleb(-3) for v in moments(rng, n, 10**15)]), pa.decimal256(50, 3)),
    }
    for unit in ["s", "ms", "us", "ns"]:
        columns["timestamp_" + unit] = pa.array(nulls(rng, moments(rng, n, 1000)), pa.timestamp(unit))
        columns["duration_" + unit] = pa.array(nulls(rng, moments(rng, n, 1000)), pa.duration(unit))
    columns["timestamp_tz"] = pa.array(nulls(rng, moments(rng, n, 1000)), pa.timestamp("us", "Europe/Oslo"))
    columns["dictionary"] = pa.array(nulls(rng, words(rng, n)), pa.string()).dictionary_encode()
    return pa.table(columns)


def lists(rng, n):
    def column(item, kind):
        rows = [[None if rng.random() < 0.2 else item() for _ in range(rng.randrange(4))] for _ in range(n)]
        return pa.array(nulls(rng, rows), kind)

    return pa.table({
        "strings": column(lambda: rng.choice(["a", "b", "cc", "d" * 20, "é", ""]), pa.list_(pa.string())),
        "ints": column(lambda: rng.randrange(8), pa.list_(pa.int32())),
        "floats": column(lambda: rng.choice([0.0, -0.0, math.nan, 1.5]), pa.list_(pa.float64())),
        "large": column(lambda: rng.choice(["x", "y"]), pa.large_list(pa.string())),
    })


def index(ds, column, kind, **params):
    """Makes an index on a copy of the column, since a column has one scalar index only."""
    name = f"{column}_{kind.lower()}"
    try:
        if params and WRITER >= (2, 0):
            from lance.indices import IndexConfig

            ds.create_scalar_index(column, index_type=IndexConfig(kind.lower().replace("_", ""), params), name=name)
        else:
            ds.create_scalar_index(column, index_type=kind, name=name)
    except Exception as err:  # pylance raises a dozen types; which combinations fail differs by version
        print(f"  no {kind} on {column}: {str(err).splitlines()[0][:110]}")


def copies(table, kinds):
    """A column per kind: int8 becomes int8_btree, int8_bitmap, ..."""
    return pa.table({f"{name}__{kind.lower()}": table[name] for name in table.column_names for kind in kinds})


def index_copies(ds, params=None):
    for name in ds.schema.names:
        column, _, kind = name.partition("__")
        if kind:
            index(ds, name, kind.upper(), **((params or {}).get(kind, {})))


def write(path, table, rows_per_file=10**6, mode="create", **options):
    return lance.write_dataset(table, str(path), mode=mode, max_rows_per_file=rows_per_file, **options)


SMALL = {"btree": {"zone_size": 64}, "zonemap": {"rows_per_zone": 50}, "bloomfilter": {"number_of_items": 40, "probability": 0.01}}
KINDS = ["BTREE", "BITMAP", "ZONEMAP", "BLOOMFILTER"]


def types(path, rng, n=700, **options):
    table = copies(every_type(rng, n), KINDS)
    ds = write(path, table, rows_per_file=400, **options)
    index_copies(ds, SMALL)
    ds.delete("int32__btree % 7 = 3")


def list_types(path, rng):
    ds = write(path, copies(lists(rng, 600), ["LABEL_LIST"]), rows_per_file=400)
    index_copies(ds)
    ds.delete("array_has(ints__label_list, 3)")
    write(path, copies(lists(rng, 50), ["LABEL_LIST"]), mode="append")  # not indexed


def text(path, rng):
    words_of = lambda n: pa.table({"text__ngram": pa.array(nulls(rng, words(rng, n)), pa.string()),
                                   "long__ngram": pa.array(nulls(rng, words(rng, n)), pa.large_string()),
                                   "full__ngram": pa.array([w + "!" for w in words(rng, n)], pa.string())})
    ds = write(path, words_of(800), rows_per_file=300)
    index_copies(ds)
    write(path, words_of(300), mode="append")
    lance.dataset(str(path)).optimize.optimize_indices()


def mixed(rng, n):
    return pa.table({
        "number__btree": pa.array(nulls(rng, [rng.randrange(100) for _ in range(n)]), pa.int64()),
        "name__btree": pa.array(nulls(rng, words(rng, n)), pa.string()),
        "class__bitmap": pa.array(nulls(rng, [rng.choice("abcdef") for _ in range(n)]), pa.string()),
        "tags__label_list": pa.array(nulls(rng, [[rng.choice("xyz") for _ in range(rng.randrange(3))] for _ in range(n)]), pa.list_(pa.string())),
        "text__ngram": pa.array(nulls(rng, words(rng, n)), pa.string()),
        "value__zonemap": pa.array(nulls(rng, floats(rng, n)), pa.float64()),
        "order__zonemap": pa.array(range(n), pa.int64()),
        "mark__bloomfilter": pa.array(nulls(rng, words(rng, n)), pa.string()),
    })


def history(path, rng, merge, **options):
    """Indexed, then appended to, deleted from and updated, with segments added or merged between."""
    ds = write(path, mixed(rng, 900), rows_per_file=350, **options)
    index_copies(ds, SMALL)
    for step in range(3):
        ds.delete(f"number__btree = {10 + step}")
        write(path, mixed(rng, 200), mode="append")
        ds = lance.dataset(str(path))
        ds.optimize.optimize_indices(**({"num_indices_to_merge": merge} if merge is not None else {}))
        ds.update({"class__bitmap": "'g'"}, where=f"number__btree = {20 + step}")
    write(path, mixed(rng, 30), mode="append")


def compacted(path, rng, **options):
    history(path, rng, 0, **options)
    ds = lance.dataset(str(path))
    ds.optimize.compact_files(target_rows_per_fragment=500)


def extremes(path, rng):
    n = 5000
    ds = write(path, copies(pa.table({
        "none": pa.array([None] * n, pa.int32()),
        "one": pa.array(["same"] * n, pa.string()),
        "leading": pa.array([None] * 4500 + list(range(500)), pa.int64()),
        "nan": pa.array([math.nan] * n, pa.float32()),
    }), KINDS), rows_per_file=2000)
    index_copies(ds)


def empty(path, rng):
    ds = write(path, mixed(rng, 0))
    index_copies(ds)


def many(path, rng, n=100_000):
    values = list(range(n))
    rng.shuffle(values)
    ds = write(path, copies(pa.table({"key": pa.array(values, pa.int64()), "text": pa.array([f"k{v:07}" for v in values])}),
                            ["BTREE", "BITMAP"]), rows_per_file=n // 3)
    index_copies(ds)


ITEMS = {
    "strings": (lambda rng: rng.choice(["a", "b", "cc", "x", "y", "é", ""]), pa.string()),
    "ints": (lambda rng: rng.randrange(8), pa.int32()),
    "moments": (lambda rng: rng.randrange(5) * 1000, pa.timestamp("us")),
}


def random_history(path, rng):
    """A table of random types with an index of a random kind on each column, and what may happen to it."""
    of_type = every_type(random.Random(1), 3)
    columns = {}
    for i in range(rng.randrange(2, 6)):
        kind = rng.choice(KINDS + ["LABEL_LIST", "NGRAM"])
        if kind == "LABEL_LIST":
            name, make = "list", lambda rng, n, of=rng.choice(list(ITEMS.values())): pa.array(
                nulls(rng, [nulls(rng, [of[0](rng) for _ in range(rng.randrange(4))]) for _ in range(n)]), pa.list_(of[1]))
        elif kind == "NGRAM":
            name, make = "text", lambda rng, n: pa.array(nulls(rng, words(rng, n)), pa.string())
        else:
            name = rng.choice(of_type.column_names)
            few = rng.random() < 0.3  # long runs of one value, whole zones and pages of NULLs
            make = lambda rng, n, name=name, few=few: (
                every_type(rng, n + 1)[name].slice(1).combine_chunks() if not few or n == 0 else
                every_type(rng, 4)[name].combine_chunks().take(pa.array(sorted(rng.choices(range(4), k=n)), pa.int64())))
        columns[f"{name}{i}__{kind.lower()}"] = make
    next_key = [0]

    def rows(n):
        next_key[0] += n
        made = {name: make(rng, n) for name, make in columns.items()}
        return pa.table({"key": pa.array(range(next_key[0] - n, next_key[0]), pa.int64()), **made})

    options = {"data_storage_version": rng.choice(["2.0", "2.1", "2.2"])}
    stable = rng.random() < 0.4
    if stable:
        options.update(STABLE)
    size = rng.choice([60, 200, 1000])
    params = {"btree": {"zone_size": rng.choice([1, 7, 64, 4096])}, "zonemap": {"rows_per_zone": rng.choice([1, 13, 100])},
              "bloomfilter": {"number_of_items": rng.choice([5, 40, 500]), "probability": rng.choice([0.3, 0.01, 0.0001])}}
    ds = write(path, rows(rng.choice([0, 1, 150, 500])), rows_per_file=size, **options)
    steps = ["index"] + [rng.choice(["append", "append", "delete", "update", "upsert", "optimize", "optimize", "compact", "reindex", "clear"]) for _ in range(rng.randrange(2, 9))]
    for step in steps:
        ds = lance.dataset(str(path))
        any_key = rng.randrange(max(next_key[0], 1))
        if step in ("index", "reindex"):
            for name in columns if step == "index" else [rng.choice(list(columns))]:
                index(ds, name, name.split("__")[1].upper(), **params.get(name.split("__")[1], {}))
                ds = lance.dataset(str(path))
        elif step == "append":
            write(path, rows(rng.choice([1, 30, 200])), rows_per_file=size, mode="append")
        elif step == "delete":
            ds.delete(f"key % {rng.randrange(2, 9)} = 1 AND key < {any_key}")
        elif step == "clear" and rng.random() < 0.3:
            ds.delete(f"key >= {any_key}")
        elif step == "update":
            name = rng.choice(list(columns))
            ds.update({name: "NULL"}, where=f"key % 11 = {rng.randrange(11)}")
        elif step == "upsert":
            fresh = rows(40)
            old = pa.array([rng.randrange(next_key[0]) for _ in range(40)], pa.int64())
            keys = pa.array(sorted(set(old.to_pylist())), pa.int64())
            ds.merge_insert("key").when_matched_update_all().when_not_matched_insert_all().execute(
                fresh.slice(0, len(keys)).set_column(0, "key", keys))
        elif step == "optimize":
            ds.optimize.optimize_indices(**rng.choice([{}, {"num_indices_to_merge": 0}, {"num_indices_to_merge": 1}, {"num_indices_to_merge": 20}]))
        elif step == "compact":
            later = {"defer_index_remap": True} if not stable and rng.random() < 0.4 else {}
            ds.optimize.compact_files(target_rows_per_fragment=rng.choice([100, 10**6]), **later)


TABLES = {
    "types": types,
    "types_v2_0": lambda path, rng: types(path, rng, data_storage_version="2.0"),
    "types_v2_1": lambda path, rng: types(path, rng, data_storage_version="2.1"),
    "lists": list_types,
    "text": text,
    "segments": lambda path, rng: history(path, rng, 0),
    "merged": lambda path, rng: history(path, rng, None),
    "merged_all": lambda path, rng: history(path, rng, 10),
    "stable_segments": lambda path, rng: history(path, rng, 0, **STABLE),
    "stable_merged": lambda path, rng: history(path, rng, 10, **STABLE),
    "compacted": compacted,
    "stable_compacted": lambda path, rng: compacted(path, rng, **STABLE),
    "extremes": extremes,
    "empty": empty,
    "many": many,
}
STABLE = {p: True for p in inspect.signature(lance.write_dataset).parameters if p.endswith("stable_row_ids")}


def conditions(ds, rng):
    """Conditions with their meaning for the tests, and what pylance says of them without an index."""
    out = []
    for name in ds.schema.names:
        kind = ds.schema.field(name).type
        seen = [v for v in ds.head(40, columns=[name])[name].to_pylist() if v is not None]
        if pa.types.is_integer(kind):
            a, b = (rng.choice(seen), rng.choice(seen)) if seen else (1, 2)
            a, b = min(a, b), max(a, b)
            out += [(name, f"`{name}` = {a}", {"op": "in", "values": [a]}),
                    (name, f"`{name}` IN ({a}, {b})", {"op": "in", "values": [a, b]}),
                    (name, f"`{name}` > {a} AND `{name}` <= {b}", {"op": "range", "low": a, "high": b, "high_inclusive": True})]
        elif pa.types.is_floating(kind):
            out += [(name, f"`{name}` > 1.5", {"op": "range", "low": 1.5}),
                    (name, f"`{name}` <= -1.5", {"op": "range", "high": -1.5, "high_inclusive": True}),
                    (name, f"`{name}` = 1.5", {"op": "in", "values": [1.5]})]
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            out += [(name, f"`{name}` LIKE 'data%'", {"op": "prefix", "values": ["data"]}),
                    (name, f"contains(`{name}`, 'caf')", {"op": "contains", "values": ["caf"]}),
                    (name, f"contains(`{name}`, 'Straße')", {"op": "contains", "values": ["Straße"]}),
                    (name, f"`{name}` = 'café'", {"op": "in", "values": ["café"]}),
                    (name, f"`{name}` >= 'd'", {"op": "range", "low": "d", "low_inclusive": True})]
        elif pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
            out += [(name, f"array_has(`{name}`, 'x')", {"op": "has_any", "values": ["x"]}),
                    (name, f"array_has_any(`{name}`, ['a', 'x'])", {"op": "has_any", "values": ["a", "x"]}),
                    (name, f"array_has_all(`{name}`, ['x', 'y'])", {"op": "has_all", "values": ["x", "y"]})]
        out.append((name, f"`{name}` IS NULL", {"op": "is_null"}))
    answers = []
    for column, where, predicate in out:
        try:
            find = lambda cond: ds.scanner(columns=[], filter=cond, with_row_id=True, with_row_address=True, use_scalar_index=False).to_table()
            true, null = find(where), find(f"({where}) IS NULL")
        except Exception as err:
            print(f"  no answer to {where}: {str(err).splitlines()[0][:110]}")
            continue
        answers.append({"column": column, "where": where, **predicate, "true": true["_rowaddr"].to_pylist(), "null": null["_rowaddr"].to_pylist()})
    return answers


def main(out, names):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name.startswith("random:"):
            first, count = map(int, name.split(":")[1:])
            names = [n for n in names if n != name] + [f"random_{seed}" for seed in range(first, first + count)]
    for name in names or TABLES:
        path = out / f"{name}.lance"
        shutil.rmtree(path, ignore_errors=True)
        rng = random.Random(name)
        print(name)
        try:
            TABLES.get(name, random_history)(path, rng)
        except Exception as err:
            if WRITER >= (14, 0):
                raise
            print(f"  not written: {str(err).splitlines()[0][:110]}")
            shutil.rmtree(path, ignore_errors=True)
            continue
        ds = lance.dataset(str(path))
        (out / f"{name}.json").write_text(json.dumps({"pylance": lance.__version__, "conditions": conditions(ds, rng)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
