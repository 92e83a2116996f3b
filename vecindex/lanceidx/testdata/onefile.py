"""Writes IVF_PQ indices in the one-file layout, and what pylance finds with them: python onefile.py DIR"""

import json
import sys

import lance
import numpy as np
import pyarrow as pa

DIM, ROWS, K = 16, 600, 25
rng = np.random.default_rng(5)
for metric in ["L2", "cosine", "dot"]:
    for kind in [np.float32, np.float16]:
        name = f"{sys.argv[1]}/{metric}_{kind.__name__}"
        vectors = rng.standard_normal((ROWS, DIM)).astype(kind)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIM)
        ds = lance.write_dataset(pa.table({"vec": column}), name + ".lance")
        ds.create_index("vec", "IVF_PQ", metric=metric, num_partitions=4, num_sub_vectors=4, index_file_version="Legacy")
        answers = []
        for probes in [1, 2, 4]:
            q = rng.standard_normal(DIM).astype(kind)
            got = ds.scanner(columns=[], with_row_id=True, nearest={"column": "vec", "q": pa.array(q), "k": K, "nprobes": probes}).to_table()
            answers.append({"query": q.astype(float).tolist(), "probes": probes, "ids": got["_rowid"].to_pylist(), "distances": got["_distance"].to_pylist()})
        with open(name + ".json", "w") as f:
            json.dump({"metric": metric, "k": K, "answers": answers}, f)
