"""Tables with indices as old versions of pylance wrote them, whose manifests do not say of which kind an index is.

    python make.py OUT.lance                with that pylance (0.10 to 0.19)
    python make.py OUT.lance OUT.json       with a recent one, afterwards: filters and the keys of their rows, read without indices
"""

import json
import shutil
import sys

import lance
import numpy as np
import pyarrow as pa

FILTERS = ["k = 17", "k > 50 AND k < 70", "k >= 250", "k IN (1, 2, 3, 40, 271)", "NOT k < 240", "r < 4.5", "r = 7", "s = 'word7'", "s < 'word2'", "s > 'word8' OR k = 3",
           "c = 'x'", "c IN ('y', 'w') AND k < 40", "c IS NOT NULL", "NOT c = 'x'", "cn IS NULL", "cn = ''", "cn = 'x'", "NOT cn = 'x'", "maybe = 12", "maybe = 0", "maybe < 7", "maybe IS NULL", "NOT maybe < 60",
           "array_has(tags, '2')", "array_has_any(tags, ['1', '4'])", "array_has_all(tags, ['1', '4'])", "NOT array_has(tags, '2')"]


def rows(start, n, nulls):
    span = range(start, start + n)
    some = lambda k, v: [None if nulls and i % k == 0 else v(i) for i in span]
    return pa.table({
        "k": pa.array(span, pa.int64()), "r": pa.array([i / 3 for i in span]), "s": [f"word{i % 9}" for i in span], "c": pa.array([["x", "y", "z", "w"][i % 4] for i in span]), "cn": pa.array(some(7, lambda i: ["x", "y", "z", "" if nulls else "w"][i % 4])),
        "maybe": pa.array(some(5, lambda i: i), pa.int32()), "tags": pa.array(some(11, lambda i: [str(i % 3), str(i % 5)]), pa.list_(pa.string())),
        "v": pa.FixedSizeListArray.from_arrays(pa.array(np.random.default_rng(start).standard_normal(8 * n).astype(np.float32)), 8)})


def make(path):
    shutil.rmtree(path, ignore_errors=True)
    new = tuple(int(n) for n in lance.__version__.split(".")[:2]) >= (0, 16)
    options = {"use_legacy_format": False} if new else {}
    ds = lance.write_dataset(rows(0, 260, new), path, max_rows_per_file=130, max_rows_per_group=130, **options)
    for column, kind in [("k", "BTREE"), ("r", "BTREE"), ("s", "BTREE"), ("maybe", "BTREE"), ("c", "BITMAP" if new else "BTREE"), ("cn", "BITMAP" if new else "BTREE"), ("tags", "LABEL_LIST" if new else None)]:
        if kind:
            ds.create_scalar_index(column, kind)
    ds.create_index("v", "IVF_PQ", num_partitions=1, num_sub_vectors=2)
    lance.write_dataset(rows(260, 20, new), path, mode="append", max_rows_per_group=40, **options)
    lance.dataset(path).delete("k % 10 = 3")
    if new:
        lance.dataset(path).optimize.compact_files(target_rows_per_fragment=200)


if len(sys.argv) == 2:
    make(sys.argv[1])
else:
    ds = lance.dataset(sys.argv[1])
    out = []
    for where in FILTERS:
        keys = ds.scanner(columns=["k"], filter=where, use_scalar_index=False).to_table()["k"].to_pylist()
        if sorted(keys) != sorted(ds.scanner(columns=["k"], filter=where).to_table()["k"].to_pylist()):
            print("pylance finds other rows with the index:", where)
        out.append({"where": where, "keys": sorted(keys)})
    with open(sys.argv[2], "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(o) for o in out) + "\n]\n")
