"""Answers of pylance 14 without indices to the filters of tables that write.py made: answers.py FOLDER…

Writes FOLDER/answers.json: for each table the rows by id of each filter, and the rows nearest to some vectors.
"""

import json
import os
import sys

import lance
import numpy as np

# The same text is a filter of Lance and a WHERE clause of lanceflight.
FILTERS = {
    "zones": [
        "zs = 'A'", "zs <> 'A'", "NOT (zs = 'A')", "zs = 'Z'", "zs <> 'Z'", "zs IN ('B', 'Z')", "zs NOT IN ('B', 'Z')",
        "zs < 'B'", "zs >= 'B'", "zs IS NULL", "zs IS NOT NULL", "zs BETWEEN 'B' AND 'Y'", "zs LIKE 'Z%'",
        "zi = 5", "zi <> 5", "zi = 1000", "NOT (zi = 1000)", "zi < 20", "NOT (zi < 20)", "zi BETWEEN 40 AND 60",
        "zi NOT BETWEEN 40 AND 60", "zi IS NULL", "zi IS NOT NULL", "zi IN (2, 7, 33, 95)", "zi >= 0",
        "bf = 'A'", "bf <> 'A'", "NOT (bf = 'B')", "bf = 'Z'", "bf <> 'Z'", "bf IN ('B', 'Z')", "bf IS NULL", "bf IS NOT NULL",
        "zs = 'A' AND zi < 20", "zs = 'A' OR zi = 1000", "NOT (zs = 'A' OR bf = 'Z')", "NOT (zi > 10 AND bf = 'B')",
        "(zi = 1000) IS NOT TRUE",
    ],
    "postings": [
        "bm = 'A'", "bm <> 'A'", "NOT (bm = 'A')", "bm = 'Z'", "bm <> 'Z'", "bm IN ('B', 'Z')", "bm NOT IN ('B', 'Z')",
        "bm < 'B'", "bm >= 'B'", "bm IS NULL", "bm IS NOT NULL", "bm BETWEEN 'B' AND 'Y'", "bm LIKE 'Z%'",
        "bi = 5", "bi <> 5", "bi = 1000", "NOT (bi = 1000)", "bi < 20", "NOT (bi < 20)", "bi BETWEEN 40 AND 60",
        "bi NOT BETWEEN 40 AND 60", "bi IS NULL", "bi IS NOT NULL", "bi IN (2, 7, 33, 95)", "bi >= 0",
        "bs = 'A'", "bs <> 'A'", "NOT (bs = 'B')", "bs = 'Z'", "bs <> 'Z'", "bs IN ('B', 'Z')", "bs IS NULL", "bs LIKE 'A%'",
        "bm = 'A' AND bi < 20", "bm = 'A' OR bi = 1000", "NOT (bm = 'A' OR bs = 'Z')", "NOT (bi > 10 AND bs = 'B')",
        "(bi = 1000) IS NOT TRUE",
    ],
    "lists": [
        "array_has(ll, 'l1')", "NOT array_has(ll, 'l1')", "array_has(ll, 'zz')", "NOT array_has(ll, 'zz')",
        "array_has_any(ll, ['l1', 'zz'])", "array_has_all(ll, ['all', 'l2'])", "NOT array_has_all(ll, ['all', 'l2'])",
        "ll IS NULL", "ll IS NOT NULL", "array_has(ll, 'l1') OR ll IS NULL",
        "ng LIKE '%apple%'", "NOT (ng LIKE '%apple%')", "ng LIKE '%cherry%'", "ng LIKE '%banana%'", "ng NOT LIKE '%cherry%'",
        "contains(ng, 'apple 1')", "ng LIKE 'banana 5%'", "ng IS NULL", "ng IS NOT NULL",
        "array_has(ll, 'l2') AND ng LIKE '%apple%'", "NOT (array_has(ll, 'l2') OR ng LIKE '%apple%')",
    ],
    "vectors": ["id < 40"],
}
QUERIES = [[0.0, 0.0, 0.0, 0.0], [5.2, 0.3, 0.0, 0.0], [33.1, 0.0, 1.0, 0.0], [490.0, 0.0, 0.0, 0.0], [95.0, 0.0, 9.0, 0.0]]
K = 4


def nearest(rows, column, query, allowed):
    found = []
    for i, v in zip(rows["id"].to_pylist(), rows[column].to_pylist()):
        if v is not None and (allowed is None or i in allowed):
            d = np.array(v, np.float32) - np.array(query, np.float32)
            found.append((float((d * d).sum(dtype=np.float32)), i))
    return [[i, d] for d, i in sorted(found)]


def cut(found):
    """The K nearest, and those that are as near as the last of them."""
    return [x for x in found if x[1] <= found[min(K, len(found)) - 1][1]] if found else []


def answer(uri, group):
    ds = lance.dataset(uri)
    out = {"filters": {}}
    for f in FILTERS[group]:
        ids = ds.scanner(columns=["id"], filter=f, use_scalar_index=False).to_table()["id"].to_pylist()
        out["filters"][f] = sorted(ids)
    if group == "vectors":
        rows = ds.to_table()
        allowed = set(out["filters"]["id < 40"])
        out["nearest"] = [
            {"column": c, "query": q, "filtered": some is not None, "hits": cut(nearest(rows, c, q, some))}
            for c in ("vf", "vp") for q in QUERIES for some in (None, allowed)]
    return out


def main(*folders):
    for folder in folders:
        answers = {}
        for name in sorted(os.listdir(folder)):
            if name.endswith(".lance"):
                answers[name[: -len(".lance")]] = answer(os.path.join(folder, name), name.split("_")[0])
        with open(os.path.join(folder, "answers.json"), "w") as f:
            json.dump(answers, f, separators=(",", ":"))


if __name__ == "__main__":
    main(*sys.argv[1:])
