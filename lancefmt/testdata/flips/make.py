"""Writes the tables whose index files, manifest and transactions are changed byte by byte in tests: an index of each kind over few
rows, and stable row ids with the versions of rows. The ones here are of pylance 14.0.2:

    pip install pylance==14.0.2 pyarrow numpy && python make.py
"""
import os
import shutil

import lance
import numpy as np
import pyarrow as pa
from lance.indices import IndexConfig

HERE = os.path.dirname(os.path.abspath(__file__))


def fresh(name):
    path = os.path.join(HERE, name + ".lance")
    shutil.rmtree(path, ignore_errors=True)
    return path


def indexed():
    path, n = fresh("indexed"), 40
    rng = np.random.default_rng(5)
    vectors = lambda d: pa.FixedSizeListArray.from_arrays(pa.array(rng.standard_normal(d * n).astype(np.float32)), d)
    some = lambda k, v: pa.array([None if i % k == 0 else v(i) for i in range(n)])
    table = pa.table({
        "tree": some(7, lambda i: i * 3 % 20),
        "bits": some(9, lambda i: ["x", "y", "z"][i % 3]),
        "labels": pa.array([[f"l{j}" for j in range(i % 3)] for i in range(n)], pa.list_(pa.string())),
        "grams": some(8, lambda i: f"word {i % 5}"),
        "zones": some(6, lambda i: i / 3),
        "bloom": some(5, lambda i: f"b{i % 11}"),
        "v_flat": vectors(4), "v_pq": vectors(4), "v_sq": vectors(4), "v_hnsw": vectors(4), "v_rq": vectors(8),
    })
    ds = lance.write_dataset(table, path, data_storage_version="2.1", max_rows_per_file=n)
    for column, kind in [("tree", "BTREE"), ("bits", "BITMAP"), ("labels", "LABEL_LIST"), ("grams", "NGRAM"), ("zones", "ZONEMAP"), ("bloom", "BLOOMFILTER")]:
        more = {"ZONEMAP": {"rows_per_zone": 8}, "BLOOMFILTER": {"number_of_items": 16, "probability": 0.1}}.get(kind)
        ds.create_scalar_index(column, IndexConfig(kind.lower(), more) if more else kind)
    for column, kind, more in [("v_flat", "IVF_FLAT", {}), ("v_pq", "IVF_PQ", {"num_sub_vectors": 2, "num_bits": 4}), ("v_sq", "IVF_SQ", {}),
                               ("v_hnsw", "IVF_HNSW_SQ", {"m": 4, "ef_construction": 8}), ("v_rq", "IVF_RQ", {"num_bits": 1})]:
        ds = ds.create_index(column, kind, num_partitions=2, **more)
    for sub in ["_versions", "_transactions"]:  # the indices are all that is wanted of the history
        names = sorted(os.listdir(os.path.join(path, sub)))
        for name in names[1:] if sub == "_versions" else names:
            os.remove(os.path.join(path, sub, name))


def ids():
    path, n = fresh("ids"), 30
    ds = lance.write_dataset(pa.table({"key": range(n), "text": [f"t{i}" for i in range(n)]}), path, data_storage_version="2.1", enable_stable_row_ids=True, max_rows_per_file=12)
    lance.write_dataset(pa.table({"key": range(n, n + 5), "text": ["new"] * 5}), path, mode="append")
    ds = lance.dataset(path)
    ds.delete("key % 7 = 3")
    ds.optimize.compact_files(target_rows_per_fragment=20)
    ds.update({"text": "'changed'"}, where="key % 5 = 1")
    ds.merge_insert("key").when_matched_update_all().when_not_matched_insert_all().execute(pa.table({"key": [0, 9, 100], "text": ["m", "m", "m"]}))


if __name__ == "__main__":
    indexed()
    ids()
