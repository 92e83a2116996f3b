"""Writes small tables with the pylance that runs it, and the rows as that pylance reads them.

    python write.py OUT

Works with every pylance from 0.8 on: what a version cannot do is left out.
"""
import datetime
import decimal
import json
import os
import shutil
import sys

import lance
import numpy as np
import pyarrow as pa

out = sys.argv[1]
N = 300
log = []


def rows(start, n, full):
    rng = np.random.default_rng(start)
    some = lambda k, v: [None if i % k == 0 else v(i) for i in range(start, start + n)]
    cols = {
        "key": pa.array(range(start, start + n), pa.int64()),
        "small": pa.array([i % 7 for i in range(start, start + n)], pa.int16()),
        "unsigned": pa.array([i * 3 for i in range(start, start + n)], pa.uint32()),
        "half": pa.array(np.arange(start, start + n).astype(np.float16)),
        "real": pa.array([i / 3 for i in range(start, start + n)], pa.float64()),
        "flag": pa.array([i % 3 == 0 for i in range(start, start + n)]),
        "text": pa.array(some(6, lambda i: f"word {i}" * (i % 3))),
        "big": pa.array(some(9, lambda i: f"large {i}"), pa.large_string()),
        "blob": pa.array(some(8, lambda i: bytes([i % 256]) * (i % 40))),
        "day": pa.array([datetime.date(2020, 1, 1) + datetime.timedelta(days=i) for i in range(start, start + n)]),
        "ts": pa.array([datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=i) for i in range(start, start + n)], pa.timestamp("us")),
        "zoned": pa.array([datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=i) for i in range(start, start + n)], pa.timestamp("ns", "UTC")),
        "dec": pa.array([decimal.Decimal(i).scaleb(-2) for i in range(start, start + n)], pa.decimal128(12, 2)),
        "fixed": pa.array([i.to_bytes(4, "big") for i in range(start, start + n)], pa.binary(4)),
        "list": pa.array([list(range(i % 4)) for i in range(start, start + n)], pa.list_(pa.int32())),
        "words": pa.array([[str(j) for j in range(i % 3)] for i in range(start, start + n)], pa.list_(pa.string())),
        "pair": pa.StructArray.from_arrays([pa.array(range(start, start + n), pa.int32()), pa.array([f"s{i}" for i in range(start, start + n)])], ["a", "b"]),
        "vec": pa.FixedSizeListArray.from_arrays(pa.array(rng.standard_normal(8 * n).astype(np.float32)), 8),
        "kind": pa.array([["x", "y", "z"][i % 3] for i in range(start, start + n)]).dictionary_encode(),
    }
    if full:  # more than the legacy format can hold
        cols["maybe"] = pa.array(some(5, lambda i: i), pa.int32())
        cols["perhaps"] = pa.array(some(7, lambda i: i / 2), pa.float32())
        cols["lists"] = pa.array(some(4, lambda i: [j if j % 2 else None for j in range(i % 5)]), pa.list_(pa.int64()))
        cols["same"] = pa.array(["always"] * n)
        cols["none"] = pa.nulls(n, pa.int32())
    return cols


def attempt(what, fn):
    try:
        r = fn()
        log.append(f"{what}: ok")
        return r
    except BaseException as e:  # panics of the extension are BaseExceptions
        log.append(f"{what}: {type(e).__name__}: {str(e)[:160]}")
        return None


def write(name, kw):
    path = os.path.join(out, name + ".lance")
    full = "legacy" not in name
    shutil.rmtree(path, ignore_errors=True)
    cols = rows(0, N, full)
    # columns this version refuses are dropped, one by one
    good = {}
    for c, a in cols.items():
        probe = os.path.join(out, "probe.lance")
        shutil.rmtree(probe, ignore_errors=True)
        def one():
            lance.write_dataset(pa.table({c: a}), probe, **kw)
            got = lance.dataset(probe).to_table()
            assert got.num_rows == N
        attempt(f"{name} {c}", one)
        if log[-1].endswith(": ok"):
            good[c] = a
        elif c == "key":
            return
    shutil.rmtree(os.path.join(out, "probe.lance"), ignore_errors=True)
    if not good:
        return
    pick = lambda start, n: pa.table({c: a for c, a in rows(start, n, full).items() if c in good})
    lance.write_dataset(pick(0, N), path, max_rows_per_file=170, max_rows_per_group=64, **kw)
    ds = lambda: lance.dataset(path)
    attempt(f"{name} append", lambda: lance.write_dataset(pick(N, 60), path, mode="append", **{k: v for k, v in kw.items() if k not in ("enable_stable_row_ids", "enable_move_stable_row_ids", "enable_v2_manifest_paths")}))
    attempt(f"{name} delete", lambda: ds().delete("key % 10 = 3"))
    attempt(f"{name} add", lambda: ds().add_columns({"twice": "key * 2"}))
    attempt(f"{name} merge", lambda: ds().merge(pa.table({"key": list(range(0, 360, 2)), "note": [f"n{i}" for i in range(0, 360, 2)]}), "key"))
    attempt(f"{name} rename", lambda: ds().alter_columns({"path": "real", "name": "float"}))
    attempt(f"{name} cast", lambda: ds().alter_columns({"path": "small", "data_type": pa.int32()}))
    attempt(f"{name} drop", lambda: ds().drop_columns(["unsigned"]))
    attempt(f"{name} update", lambda: ds().update({"text": "'changed'"}, where="key % 50 = 1"))
    attempt(f"{name} upsert", lambda: ds().merge_insert("key").when_matched_update_all().when_not_matched_insert_all().execute(ds().to_table(filter="key < 4")))
    for col, kind in [("key", "BTREE"), ("text", "BITMAP"), ("words", "LABEL_LIST"), ("big", "INVERTED")]:
        attempt(f"{name} {kind}", lambda: ds().create_scalar_index(col, kind))
    attempt(f"{name} IVF_PQ", lambda: ds().create_index("vec", "IVF_PQ", num_partitions=2, num_sub_vectors=4))
    attempt(f"{name} append 2", lambda: lance.write_dataset(ds().to_table().slice(0, 20), path, mode="append"))
    attempt(f"{name} compact", lambda: ds().optimize.compact_files(target_rows_per_fragment=150))
    attempt(f"{name} tag", lambda: ds().tags.create("kept", 2))
    json.dump({"writer": lance.__version__}, open(os.path.join(out, name + ".json"), "w"))


os.makedirs(out, exist_ok=True)
for name, kw in [("legacy", {"data_storage_version": "legacy"}), ("legacy", {"use_legacy_format": True}), ("legacy", {}),
                 ("v2_0", {"data_storage_version": "2.0"}), ("v2_0", {"data_storage_version": "stable"}), ("v2_0", {"use_legacy_format": False}),
                 ("v2_1", {"data_storage_version": "2.1"}), ("v2_2", {"data_storage_version": "2.2"}),
                 ("stable_ids", {"data_storage_version": "2.0", "enable_move_stable_row_ids": True, "enable_v2_manifest_paths": True}),
                 ("stable_ids", {"enable_stable_row_ids": True, "enable_v2_manifest_paths": True})]:
    if os.path.exists(os.path.join(out, name + ".json")):
        continue
    try:
        write(name, kw)
    except BaseException as e:
        log.append(f"{name} {kw}: {type(e).__name__}: {str(e)[:200]}")
open(os.path.join(out, "log.txt"), "w").write("\n".join(log) + "\n")
