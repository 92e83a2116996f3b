"""A table for TestFilteredSearchAgainstPylance: clustered vectors, in several columns under an index of each kind (vec: IVF_PQ), rows deleted since, and a fragment that no index has.

    python filtered_search.py DIR ROWS

p and r are permutations of 0 to ROWS-1, so that p < n has n rows; p has a BTREE, r has none.
"""

import sys

import lance
import numpy as np
import pyarrow as pa

DIM = 16


def rows(rng, centres, start, n, total_p, total_r):
    of = rng.integers(0, len(centres), n)
    vectors = (centres[of] + rng.normal(0, 0.35, (n, DIM))).astype("f4")
    return pa.table({
        "key": pa.array(range(start, start + n), pa.int64()),
        "p": pa.array(total_p[start:start + n], pa.int32()),
        "r": pa.array(total_r[start:start + n], pa.int32()),
        **{name: pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), DIM) for name in ["vec", "of_flat", "of_sq", "of_rq", "of_hnsw"]},
    })


def main():
    path, total = sys.argv[1] + "/filtered.lance", int(sys.argv[2])
    rng = np.random.default_rng(4)
    centres = rng.normal(0, 1, (200, DIM))
    p, r = rng.permutation(total), rng.permutation(total)
    indexed = total * 19 // 20
    ds = lance.write_dataset(rows(rng, centres, 0, indexed, p, r), path, max_rows_per_file=indexed // 3 + 1)
    ds.create_index("vec", "IVF_PQ", num_partitions=64, num_sub_vectors=8, metric="l2")
    ds.create_index("of_flat", "IVF_FLAT", num_partitions=64, metric="l2")
    ds.create_index("of_sq", "IVF_SQ", num_partitions=64, metric="l2")
    ds.create_index("of_rq", "IVF_RQ", num_partitions=64, metric="l2")
    ds.create_index("of_hnsw", "IVF_HNSW_SQ", num_partitions=32, metric="l2", m=6, ef_construction=20)
    ds.create_scalar_index("p", "BTREE")
    ds.insert(rows(rng, centres, indexed, total - indexed, p, r))
    ds.delete("key % 50 = 7")
    print(ds.count_rows(), "rows,", len(ds.get_fragments()), "fragments")


main()
