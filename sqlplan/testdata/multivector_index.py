"""Tables with a column of lists of vectors under an index of each kind for TestMultivectorIndexAgainstPylance, and what pylance finds in them.

    python multivector_index.py DIR

Vectors lie in clusters; rows have up to six, and some are NULL or have none; rows were deleted since. "mixed" has a second segment of the index and a fragment that
none has; "stable" has stable row ids, and rows that moved. Cases come without a refine factor, whose distances are estimates, and with one. Rows of "crowded" have
twelve vectors that lie close together, some have a zero vector too, and there are no cases for it: pylance finds fewer rows than asked for.
"""

import json
import sys

import lance
import numpy as np
import pyarrow as pa

DIM = 16
ROWS = 2300  # half of them are too many to be compared one by one
KINDS = {
    "flat": ("IVF_FLAT", {}, pa.float32()),
    "pq": ("IVF_PQ", {"num_sub_vectors": 8}, pa.float32()),
    "halves": ("IVF_PQ", {"num_sub_vectors": 8}, pa.float16()),
    "doubles": ("IVF_SQ", {}, pa.float64()),
    "sq": ("IVF_SQ", {}, pa.float32()),
    "rq": ("IVF_RQ", {}, pa.float32()),
    "hnsw": ("IVF_HNSW_SQ", {"m": 6, "ef_construction": 20}, pa.float32()),
    "mixed": ("IVF_PQ", {"num_sub_vectors": 8}, pa.float32()),
    "stable": ("IVF_PQ", {"num_sub_vectors": 8}, pa.float32()),
}


def rows(rng, centres, n):
    out = []
    for i in range(n):
        if i % 41 == 8:
            out.append(None)
        elif i % 41 == 9:
            out.append([])
        else:
            of = rng.integers(0, len(centres), int(rng.integers(1, 7)))
            out.append(np.round(centres[of] + rng.normal(0, 0.3, (len(of), DIM)), 1).astype("f2").tolist())
    return out


def table(start, lists, item):
    return pa.table({"id": pa.array(range(start, start + len(lists)), pa.int64()), "mv": pa.array(lists, pa.list_(pa.list_(item, DIM)))})


def main():
    folder = sys.argv[1]
    rng = np.random.default_rng(12)
    centres = rng.normal(0, 1, (40, DIM))
    lists = rows(rng, centres, ROWS)
    queries = [(centres[rng.integers(0, 40, n)] + rng.normal(0, 0.3, (n, DIM))).astype("f2").astype("f4") for n in [1, 3, 8]]
    cases = []
    for name, (kind, options, item) in KINDS.items():
        uri = f"{folder}/{name}.lance"
        ds = lance.write_dataset(table(0, lists, item), uri, max_rows_per_file=1000, enable_stable_row_ids=name == "stable")
        ds.create_index("mv", kind, metric="cosine", num_partitions=6, **options)
        if name == "mixed":
            ds.insert(table(ROWS, rows(rng, centres, 200), item))
            ds.optimize.optimize_indices(num_indices_to_merge=0)
            ds.insert(table(ROWS + 200, rows(rng, centres, 100), item))
        ds.delete("id % 37 = 5")
        if name == "stable":
            ds.update({"id": "id"}, where="id % 11 = 3")
        for query in queries:
            for nprobes in [2, 6]:
                for refine in [None, 5]:
                    if name == "hnsw" and refine is None:
                        continue  # which entries a walk finds depends on the walk
                    for where in ["", "id % 2 = 1"]:
                        nearest = {"column": "mv", "q": query, "k": 10, "metric": "cosine", "minimum_nprobes": nprobes, "maximum_nprobes": nprobes}
                        if refine:
                            nearest["refine_factor"] = refine
                        t = ds.scanner(columns=["id", "_distance"], nearest=nearest, filter=where or None, prefilter=True).to_table()
                        cases.append({"table": name, "metric": "cosine", "query": query.tolist(), "where": where, "nprobes": nprobes, "refine": refine or 0,
                                      "ids": t["id"].to_pylist(), "distances": [str(d) for d in t["_distance"].to_pylist()]})
    crowded = [[(v + rng.normal(0, 0.005, DIM)).astype("f4").tolist() for _ in range(12)] for v in rng.normal(0, 1, (1400, DIM))]
    for i in range(3, len(crowded), 50):
        crowded[i].append([0.0] * DIM)
    ds = lance.write_dataset(table(0, crowded, pa.float32()), f"{folder}/crowded.lance")
    ds.create_index("mv", "IVF_PQ", metric="cosine", num_partitions=20, num_sub_vectors=4)
    json.dump(cases, open(f"{folder}/cases.json", "w"))


main()
