"""Tables l2.lance, cosine.lance and dot.lance with vectors that are at no distance from anything.

    python make.py FOLDER          with pylance 14

Among 300 rows with random vectors of four dimensions there are NULLs, zero vectors, and vectors with a
NaN or an infinite element: among those that the index covers, and among the last 20, which were appended
afterwards and have one with a very large element, too. v has an IVF_PQ index of the table's metric and f, with the same vectors, an
IVF_FLAT index. h and w have them as half and double floats, without an index.
"""

import pathlib
import shutil
import sys

import lance
import numpy as np
import pyarrow as pa

ODD = [None, [0, 0, 0, 0], [float("nan")] * 4, [1, float("nan"), 0, 2], [float("inf"), 1, 1, 1], [0, 1, float("-inf"), 0],
       [-0.0, 0, 0, 0]]
HUGE = [3e25, 0, 1, 2]  # its square is no FLOAT; pylance fails to index it


def rows(start, n):
    random = np.random.default_rng(start)
    vectors = random.standard_normal((n, 4)).astype(np.float16).astype(np.float32).tolist()
    for i, odd in enumerate(ODD + [HUGE] if start else ODD):
        vectors[2 * i + 1] = odd
    of = lambda t: pa.array(vectors, pa.list_(t, 4))
    return pa.table({
        "k": pa.array(range(start, start + n), pa.int64()), "v": of(pa.float32()), "f": of(pa.float32()),
        "h": pa.array([None if x is None else list(np.clip(x, -6e4, 6e4).astype(np.float16)) for x in vectors],
                      pa.list_(pa.float16(), 4)),
        "w": of(pa.float64())})


def make(folder):
    for metric in ("l2", "cosine", "dot"):
        path = folder / f"{metric}.lance"
        shutil.rmtree(path, ignore_errors=True)
        ds = lance.write_dataset(rows(0, 280), path, max_rows_per_file=140)
        ds.create_index("v", "IVF_PQ", metric=metric, num_partitions=4, num_sub_vectors=2, num_bits=4)
        ds.create_index("f", "IVF_FLAT", metric=metric, num_partitions=4)
        lance.write_dataset(rows(280, 20), path, mode="append")


make(pathlib.Path(sys.argv[1]))
