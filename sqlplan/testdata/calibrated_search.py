"""A table for TestMinRecallAgainstPylance: the same clustered vectors in several columns, each under an index of another kind.

    python calibrated_search.py DIR ROWS QUERIES

QUERIES further vectors from the same source, in no table's rows, are printed as JSON.
"""

import json
import sys

import lance
import numpy as np
import pyarrow as pa

DIM = 56  # 19,000 rows then are over 4 MiB: the graph of the only partition is walked


# Lance itself has columns named flat and the like, in index files.
def main():
    path, total, queries = sys.argv[1] + "/calibrated.lance", int(sys.argv[2]), int(sys.argv[3])
    rng = np.random.default_rng(7)
    centres = rng.normal(0, 1, (150, DIM))
    of = rng.integers(0, len(centres), total + queries)
    vectors = (centres[of] + rng.normal(0, 0.8, (total + queries, DIM))).astype("f4")
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors[:total].reshape(-1)), DIM)
    names = ["of_rq", "of_pq", "of_flat", "of_sq", "of_hnsw_sq", "of_hnsw_flat"]
    ds = lance.write_dataset(pa.table({"key": pa.array(range(total), pa.int64()), **{n: column for n in names}}), path, max_rows_per_file=total // 2 + 1)
    ds.create_index("of_pq", "IVF_PQ", num_partitions=48, num_sub_vectors=14, metric="l2")
    ds.create_index("of_rq", "IVF_RQ", num_partitions=48, metric="l2")
    ds.create_index("of_flat", "IVF_FLAT", num_partitions=48, metric="l2")
    ds.create_index("of_sq", "IVF_SQ", num_partitions=48, metric="cosine")
    ds.create_index("of_hnsw_sq", "IVF_HNSW_SQ", num_partitions=4, metric="l2", m=6, ef_construction=30)
    ds.create_index("of_hnsw_flat", "IVF_HNSW_FLAT", num_partitions=1, metric="l2", m=6, ef_construction=30)
    ds.delete("key % 40 = 3")
    print(json.dumps(vectors[total:].round(4).tolist()))


main()
