#!/usr/bin/env python3
"""How far searches are from what the machine gives: exact search in GB/s beside a plain sum of the same files, and codes a second of
one core beside faiss.

    exact    bytes of the vectors / time, SQL in process, on all cores; "plain" sums every word of the mapped data files on all cores
    codes    (rows at all partitions - rows at one) / (time at all - time at one), without refine, one thread, for us and for
             a faiss index of as many lists, sub-vectors and bits over the same vectors (bench/recall.py's)

All are run in turn; medians count.

    make bench                                   # with the rest
    .venv/bin/python bench/speed.py --table DIR/train.lance
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("LANCE_LOG", "error")

import faiss
import lance
import numpy as np

import inproc
import recall
import run

COLUMN = recall.COLUMN


def medians(contenders, rounds):
    times = {c: [] for c in contenders}
    for i in range(-3, rounds):
        for c, f in contenders.items():
            seconds = f(i)
            if i >= 0:
                times[c].append(seconds)
    return {c: statistics.median(t) for c, t in times.items()}


def exact(table, ds, queries, rounds):
    dim = ds.schema.field(COLUMN).type.list_size
    size = ds.count_rows() * dim * 4
    ours = inproc.Ours()
    read = {"bytes": 0}

    def plain(_):
        reply = ours.ask("read", table, [])
        read["bytes"] = reply["bytes"]
        return reply["seconds"]

    def search(i):
        text = run.literal(queries[i % len(queries)])
        return ours.ask("sql", table, [], query=f"SELECT key FROM train ORDER BY l2_distance({COLUMN}, {text}, 'use_index=false') LIMIT 10")["seconds"]
    try:
        t = medians({"plain": plain, "exact": search}, rounds)
    finally:
        ours.stop()
    return {"exact_ms": t["exact"] * 1e3, "exact_gb_s": size / t["exact"] / 1e9, "plain_ms": t["plain"] * 1e3, "plain_gb_s": read["bytes"] / t["plain"] / 1e9}


def codes(table, ds, queries, rounds):
    index = next(i for i in ds.list_indices() if i["fields"] == [COLUMN])
    stats = ds.stats.index_stats(index["name"])["indices"][0]
    sub = stats["sub_index"]
    lists = stats["num_partitions"]
    _, vectors = recall.vectors_of(ds)
    path = inproc.DATA / f"faiss-{len(vectors)}-{lists}-{sub['num_sub_vectors']}.index"
    pq, _, _ = recall.faiss_index(vectors, lists, sub["num_sub_vectors"], sub["nbits"], path)
    faiss.omp_set_num_threads(1)
    os.environ["GOMAXPROCS"] = "1"
    ours = inproc.Ours()
    del os.environ["GOMAXPROCS"]

    def sql(nprobes):
        def f(i):
            text = run.literal(queries[i % len(queries)])
            return ours.ask("sql", table, [], query=f"SELECT _rowid FROM train ORDER BY l2_distance({COLUMN}, {text}, 'nprobes={nprobes}, refine_factor=0') LIMIT 100")["seconds"]
        return f

    def theirs(nprobes):
        def f(i):
            pq.nprobe = nprobes
            t = time.perf_counter()
            pq.search(queries[i % len(queries):][:1], 100)
            return time.perf_counter() - t
        return f
    try:
        t = medians({"ours all": sql(lists), "faiss all": theirs(lists), "ours one": sql(1), "faiss one": theirs(1)}, rounds)
    finally:
        ours.stop()
    rows = len(vectors) * (1 - 1 / lists)
    out = {"vectors": len(vectors), "partitions": lists, "sub_vectors": sub["num_sub_vectors"], "bits": sub["nbits"], "ms": {c: s * 1e3 for c, s in t.items()}}
    for c in ("ours", "faiss"):
        out[c + "_codes_per_s"] = rows / (t[c + " all"] - t[c + " one"])
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--laion-rows", type=int, default=100_000)
    p.add_argument("--table", type=Path, help="an existing LAION-shaped table, DIR/train.lance")
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--parts", default="exact,codes")
    args = p.parse_args()
    inproc.OUT.mkdir(exist_ok=True)
    inproc.DATA.mkdir(exist_ok=True)
    table = inproc.laion_table(args)
    ds = lance.dataset(str(table.resolve()))
    rng = np.random.default_rng(5)
    some = ds.take(sorted(rng.choice(ds.count_rows(), 40, replace=False).tolist()), columns=[COLUMN]).column(0)
    queries = np.stack([v.values.to_numpy() for v in some if v.is_valid]).astype("f4")
    queries += rng.normal(0, 0.01, queries.shape).astype("f4")
    result = {"rows": ds.count_rows()}
    if "exact" in args.parts:
        r = result["exact"] = exact(table, ds, queries, args.rounds)
        print(f"exact search {r['exact_ms']:.1f} ms, {r['exact_gb_s']:.1f} GB/s of vectors; a plain sum of the files {r['plain_gb_s']:.1f} GB/s; {r['exact_gb_s'] / r['plain_gb_s']:.2f} of it")
    if "codes" in args.parts:
        r = result["codes"] = codes(table, ds, queries, args.rounds)
        print(f"one core: {r['ours_codes_per_s'] / 1e6:.1f} million codes of {r['sub_vectors']} sub-vectors a second, faiss {r['faiss_codes_per_s'] / 1e6:.1f}; "
              f"{r['ours_codes_per_s'] / r['faiss_codes_per_s']:.1f} times as many")
    target = inproc.OUT / f"speed-{result['rows']}.json"
    target.write_text(json.dumps(result, indent=1))
    print("wrote", target)


if __name__ == "__main__":
    main()
