"""Tables with an IVF_RQ index at each stage of their life, for TestRaBitQLifecycleAgainstPylance: python rabitq_lifecycle.py DIR

Prints the queries, and by table the keys pylance finds for each of them with eight probes and fifty candidates, as JSON. Rows of the tables have a key, a number n = key % 10, and a vector of 48 dimensions.
"""

import json
import shutil
import sys

import lance
import numpy as np
import pyarrow as pa

DIM = 48
rng = np.random.default_rng(11)
centres = rng.standard_normal((12, DIM))


def vectors(n):
    return (centres[rng.integers(0, len(centres), n)] + 0.4 * rng.standard_normal((n, DIM))).astype("f4")


def rows(first, n):
    return pa.table({
        "key": pa.array(range(first, first + n), pa.int64()),
        "n": pa.array([i % 10 for i in range(first, first + n)], pa.int64()),
        "vec": pa.FixedSizeListArray.from_arrays(pa.array(vectors(n).ravel()), DIM),
    })


def nearest(path, query):
    found = lance.dataset(path).to_table(columns=["key"], nearest={"column": "vec", "q": query, "k": 10, "nprobes": 8, "refine_factor": 5})
    return found["key"].to_pylist()


def main():
    tables = {}
    for bits in (1, 4):
        def path(stage):
            return f"{sys.argv[1]}/{stage}_{bits}.lance"

        def stage(before, name):
            shutil.copytree(path(before), path(name))
            return lance.dataset(path(name))

        ds = lance.write_dataset(rows(0, 1500), path("built"), max_rows_per_file=500)
        ds.create_index("vec", "IVF_RQ", name="v", metric="l2", num_partitions=8, num_bits=bits)
        stage("built", "appended")
        lance.write_dataset(rows(1500, 300), path("appended"), mode="append")
        ds = stage("appended", "segments")
        ds.optimize.optimize_indices(num_indices_to_merge=0)
        lance.write_dataset(rows(1800, 100), path("segments"), mode="append")
        ds = stage("segments", "deleted")
        ds.delete("key % 3 = 1")
        ds = stage("deleted", "compacted")
        ds.optimize.compact_files(target_rows_per_fragment=2000)
        ds = stage("deleted", "deferred")
        ds.optimize.compact_files(target_rows_per_fragment=2000, defer_index_remap=True)
        for name in ("built", "appended", "segments", "deleted", "compacted", "deferred"):
            tables[f"{name}_{bits}"] = path(name)
    queries = vectors(12)
    print(json.dumps({"queries": queries.astype(float).tolist(), "found": {t: [nearest(p, q) for q in queries] for t, p in tables.items()}}))


main()
