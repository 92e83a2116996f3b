"""vectors.py make DIR: writes tables of clustered vectors with pylance, one for each element type.

vectors.py search CASES: for each case of a JSON file (table, uuid, kind, metric, partitions, sub_vectors, bits), commits the index files
in _indices/uuid of the table, which are not pylance's, to a copy. Prints as JSON the recall@10 that pylance finds with them, by probes and
refine factor, beside that of an index of its own with equal parameters.
"""
import json
import os
import shutil
import sys

import lance
import numpy as np
import pyarrow as pa

DIM, ROWS, QUERIES = 32, 6000, 40
TYPES = {"float32": pa.float32(), "float16": pa.float16(), "float64": pa.float64(), "uint8": pa.uint8()}


def vectors(rng, n, dtype):
    if dtype == "uint8":
        points = np.random.default_rng(5).integers(0, 256, (60, DIM), dtype=np.uint8)
        v = points[rng.integers(0, 60, n)]
        flips = (rng.random((n, DIM, 8)) < 0.12) * (1 << np.arange(8, dtype=np.uint8))
        return v ^ flips.sum(axis=2).astype(np.uint8)
    points = np.random.default_rng(5).normal(size=(60, DIM))
    return (points[rng.integers(0, 60, n)] + 0.6 * rng.normal(size=(n, DIM))).astype(dtype)


def make(directory):
    for dtype, item in TYPES.items():
        v = vectors(np.random.default_rng(1), ROWS, dtype)
        array = pa.FixedSizeListArray.from_arrays(pa.array(v.reshape(-1), item), DIM)
        holes = pa.array([i % 97 == 5 for i in range(ROWS)])
        array = pa.FixedSizeListArray.from_arrays(array.values, DIM, mask=holes)
        t = pa.table({"key": pa.array(range(ROWS)), "vec": array})
        ds = lance.write_dataset(t, os.path.join(directory, dtype + ".lance"), max_rows_per_file=2500)
        ds.delete("key % 53 = 7")


def exact(stored, queries, metric):
    s, q = stored.astype(np.float64), queries.astype(np.float64)
    if metric == "hamming":
        return np.bitwise_count(stored[None, :, :] ^ queries[:, None, :]).sum(axis=2)
    if metric == "l2":
        return (s**2).sum(1)[None] - 2 * q @ s.T
    if metric == "cosine":
        s = s / np.linalg.norm(s, axis=1, keepdims=True)
    return -(q @ s.T)


def recalls(ds, queries, truth, partitions):
    out = {}
    for probes, refine in (1, 8), (4, None), (partitions, 8):
        hits = 0
        for q, want in zip(queries, truth):
            nearest = {"column": "vec", "q": q, "k": 10, "nprobes": probes}
            if refine:
                nearest["refine_factor"] = refine
            got = ds.to_table(columns=["key", "_distance"], nearest=nearest)["key"].to_pylist()
            assert len(got) == 10, got
            hits += len(set(got) & set(want))
        out[f"{probes}/{refine or 1}"] = hits / (10 * len(queries))
    return out


def search(table, uuid, kind, metric, partitions, sub_vectors, bits):
    path, column = table, "vec"
    ds = lance.dataset(path)
    mine, other = path + "." + uuid, path + ".other." + uuid
    shutil.copytree(path, mine)
    shutil.copytree(path, other)
    field = next(f for f in ds.lance_schema.fields() if f.name() == column)
    index = lance.Index(
        uuid=uuid, name="ours", fields=[field.id()], dataset_version=ds.version,
        fragment_ids={f.fragment_id for f in ds.get_fragments()}, index_version=1)
    ours = lance.LanceDataset.commit(
        mine, lance.LanceOperation.CreateIndex(new_indices=[index], removed_indices=[]), read_version=ds.version)
    extra = {} if kind != "IVF_PQ" else {"num_sub_vectors": sub_vectors, "num_bits": bits}
    theirs = lance.dataset(other)
    theirs = theirs.create_index(column, kind, metric=metric, num_partitions=partitions, replace=True, **extra)
    rows = ours.to_table(filter="vec IS NOT NULL")
    dtype = os.path.basename(path).split(".")[0]
    stored = np.array(rows[column].combine_chunks().flatten()).reshape(-1, DIM)
    keys = rows["key"].to_numpy()
    queries = vectors(np.random.default_rng(2), QUERIES, dtype)
    d = exact(stored, queries, metric)
    truth = keys[np.argsort(d, axis=1, kind="stable")[:, :10]].tolist()
    plan = ours.scanner(nearest={"column": column, "q": queries[0], "k": 10, "nprobes": 1}).explain_plan()
    assert "ANN" in plan, plan
    stats = ours.stats.index_stats("ours")
    return {
        "ours": recalls(ours, queries, truth, partitions), "theirs": recalls(theirs, queries, truth, partitions),
        "rows": stats["num_indexed_rows"], "kind": stats["indices"][0]["index_type"], "partitions": stats["indices"][0]["num_partitions"]}


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    with open(sys.argv[2]) as cases:
        print(json.dumps([search(**case) for case in json.load(cases)]))
