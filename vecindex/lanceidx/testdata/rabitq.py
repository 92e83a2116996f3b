"""Writes IVF_RQ indices, and what pylance finds with them: python rabitq.py DIR"""

import json
import sys

import lance
import numpy as np
import pyarrow as pa

K = 20
rng = np.random.default_rng(5)


def table(rows, dim, kind):
    centres = rng.standard_normal((8, dim))
    vectors = (centres[rng.integers(0, 8, rows)] + 0.5 * rng.standard_normal((rows, dim))).astype(kind)
    return vectors, pa.table({"vec": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim)})


def answers(ds, vectors, name, metric, **note):
    out = []
    for probes in [1, 2, 4]:
        q = (vectors[rng.integers(len(vectors))] + 0.1 * rng.standard_normal(vectors.shape[1])).astype(np.float32).astype(vectors.dtype)
        row = {"query": q.astype(float).tolist(), "probes": probes}
        # What lies behind the bound that pylance leaves rows out by is found with a k of all rows.
        for key, k in [("few", K), ("all", len(vectors))]:
            nearest = {"column": "vec", "q": pa.array(q), "k": k, "nprobes": probes}
            got = ds.scanner(columns=[], with_row_id=True, fast_search=True, nearest=nearest).to_table()
            row[key] = {"ids": got["_rowid"].to_pylist(), "distances": got["_distance"].to_pylist()}
        out.append(row)
    with open(name + ".json", "w") as f:
        json.dump({"metric": metric, "k": K, "answers": out, **note}, f)


cases = [(metric, bits, 32, np.float32) for metric in ["L2", "cosine", "dot"] for bits in [1, 4, 5]]
cases += [("L2", bits, 72, np.float32) for bits in [2, 3, 6, 7, 8, 9]]
cases += [("dot", 9, 40, np.float32), ("cosine", 1, 1040, np.float32), ("dot", 3, 64, np.float32)]
cases += [(metric, bits, 24, kind) for metric in ["L2", "cosine", "dot"] for bits in [1, 5] for kind in [np.float16, np.float64]]
for metric, bits, dim, kind in cases:
    name = f"{sys.argv[1]}/{metric}_{bits}bit_{dim}_{kind.__name__}"
    vectors, t = table(700, dim, kind)
    ds = lance.write_dataset(t, name + ".lance")
    ds.create_index("vec", "IVF_RQ", metric=metric, num_partitions=4, num_bits=bits)
    answers(ds, vectors, name, metric, half=kind is np.float16)

# Several segments of one name, each with its own rotation, then merged.
for merged in [False, True]:
    name = f"{sys.argv[1]}/segments_{merged}"
    vectors, t = table(500, 32, np.float32)
    ds = lance.write_dataset(t, name + ".lance")
    ds.create_index("vec", "IVF_RQ", metric="L2", num_partitions=3, num_bits=5)
    more, t = table(400, 32, np.float32)
    ds = lance.write_dataset(t, name + ".lance", mode="append")
    ds.optimize.optimize_indices(num_indices_to_merge=1 if merged else 0)
    ds.delete("_rowid % 7 = 3")
    answers(lance.dataset(name + ".lance"), np.concatenate([vectors, more]), name, "L2", deleted=7)
