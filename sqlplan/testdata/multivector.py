"""Tables with a column of lists of vectors for TestMultivectorSearchAgainstPylance, and what pylance finds in them without an index.

    python multivector.py DIR

Rows have up to nine vectors, and some are NULL, have none, hold NULL, zero, infinite or NaN vectors; several fragments, rows deleted.
"""

import json
import sys

import lance
import numpy as np
import pyarrow as pa

DIM = 6
ROWS = 400


def vectors(rng, n):
    return (rng.integers(-32, 33, (n, DIM)) / 8).tolist()  # numbers that every float type has


def row(rng, i):
    if i % 23 == 5:
        return None
    if i % 23 == 11:
        return []
    v = vectors(rng, int(rng.integers(1, 10)))
    if i % 29 == 3:
        v[-1] = None
    if i % 29 == 7:
        v.append([0.0] * DIM)
    if i % 29 == 13:
        v[0][2] = float("nan")
    if i % 29 == 17:
        v[0][1] = float("inf")
    if i % 29 == 19:
        v[0][3] = None
    return v


def main():
    folder = sys.argv[1]
    rng = np.random.default_rng(11)
    cases = []
    for name, item, version in [("halves", pa.float16(), "2.1"), ("singles", pa.float32(), "2.0"), ("doubles", pa.float64(), "2.2")]:
        rows = [row(rng, i) for i in range(ROWS)]
        table = pa.table({"id": pa.array(range(ROWS), pa.int64()), "mv": pa.array(rows, pa.list_(pa.list_(item, DIM)))})
        ds = lance.write_dataset(table, f"{folder}/{name}.lance", max_rows_per_file=130, data_storage_version=version)
        ds.delete("id % 31 = 4")
        for metric in ["l2", "cosine", "dot"]:
            for n in [0, 1, 4]:
                for where in ["", "id % 3 = 1", "id > 390"]:
                    for bound in [None, 0.7]:
                        query = np.array(vectors(rng, max(n, 1)), "f4")
                        nearest = {"column": "mv", "q": query if n else query[0], "k": 20, "metric": metric}
                        if bound:
                            found = ds.scanner(columns=["_distance"], nearest=nearest | {"k": ROWS}).to_table()["_distance"].to_pylist()
                            bound = float(sorted(found)[len(found) // 8])
                            nearest["distance_range"] = (None, bound)
                        t = ds.scanner(columns=["id", "_distance"], nearest=nearest, filter=where or None, prefilter=True).to_table()
                        cases.append({"table": name, "metric": metric, "query": query.tolist(), "single": n == 0, "where": where,
                                      "below": bound, "ids": t["id"].to_pylist(), "distances": [str(d) for d in t["_distance"].to_pylist()]})
    json.dump(cases, open(f"{folder}/cases.json", "w"))


main()
