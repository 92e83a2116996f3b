"""Tables with stable row ids that pylance stores in each of its ways, and the ids that it reads, for TestRowIDsAgainstPylance.

    python row_id_sequences.py DIR

Writes DIR/NAME.lance and DIR/NAME.json: [[fragment, [row ids of its rows]]] of the latest version.
"""

import json
import os
import sys

import lance
import pyarrow as pa


def table(name, n=1000, per_file=100_000):
    rows = pa.table({"key": pa.array(range(n), pa.int32())})
    return lance.write_dataset(rows, os.path.join(sys.argv[1], name + ".lance"), enable_stable_row_ids=True, max_rows_per_file=per_file)


def compact(ds):
    ds.optimize.compact_files(materialize_deletions_threshold=0.0, target_rows_per_fragment=10**6)
    return ds


def deleted(name, where, n=1000):
    ds = table(name, n)
    ds.delete(where)
    return compact(ds)


def updated(name, where, n=1000, per_file=100_000):
    """Rows that keep their ids at new places, out of order once fragments are put together."""
    ds = table(name, n, per_file)
    ds.update({"key": "key + 1"}, where=where)
    return compact(ds)


def made():
    yield "range", table("range")
    yield "ranges", compact(table("ranges", 1000, 100))
    yield "holes", deleted("holes", "key IN (3, 500, 501, 998)")
    yield "bitmap", deleted("bitmap", "key % 3 = 1")
    yield "sorted_u16", deleted("sorted_u16", "key % 97 <> 5", 20_000)
    yield "sorted_u32", deleted("sorted_u32", "key % 19997 <> 5", 200_000)
    yield "holes_u32", deleted("holes_u32", "key IN (5, 150000)", 200_000)
    yield "array_u16", updated("array_u16", "key % 7 = 2")
    yield "array_u32", updated("array_u32", "key % 9001 = 2 OR key = 199999", 200_000, 100_000)
    ds = updated("mixed", "key % 5 = 2", 1000, 300)
    ds.delete("key % 11 = 4")
    ds.insert(pa.table({"key": pa.array([7, 8, 9], pa.int32())}))
    ds.update({"key": "key - 5"}, where="key % 13 = 1")
    yield "mixed", ds


for name, ds in made():
    out = [[f.fragment_id, f.scanner(columns=[], with_row_id=True).to_table()["_rowid"].to_pylist()] for f in lance.dataset(ds.uri).get_fragments()]
    with open(os.path.join(sys.argv[1], name + ".json"), "w") as f:
        json.dump(out, f)
