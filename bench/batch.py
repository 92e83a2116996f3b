#!/usr/bin/env python3
"""Many query vectors at once: one statement under LATERAL beside a statement for each, pylance's batch and its loop, and faiss.

Nearest ten of each of 100 vectors, exact and by index (20 probes, refine factor 10), with and without the card's filter. lanceflight is asked over the wire
through the stock ADBC driver; the vectors are a table that it serves. pylance gets them as a two-dimensional array (one call), and one by
one; faiss (exact: IndexFlatL2, which computes a batch as one matrix product; by index: as in bench/recall.py) has its vectors in memory, and no filter. Every round runs each contender once, in
turn; medians count. Answers are compared before anything is timed: exact ones by recall of one against the others, those by index by recall
against exact search.

    make bench                                   # with the rest
    .venv/bin/python bench/batch.py --table DIR/train.lance --rounds 3
"""

import argparse
import json
import os
import shutil
import statistics
import time
from pathlib import Path

os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")

import faiss
import lance
import numpy as np
import pyarrow as pa

import inproc
import recall
import run

K, COLUMN = 10, recall.COLUMN
OPTIONS = {"exact": "use_index=false", "by index": "nprobes=20, refine_factor=10"}
KNOBS = {"exact": {"use_index": False}, "by index": {"nprobes": 20, "refine_factor": 10}}


def lateral(options, where):
    return (f"SELECT q.i, n.key FROM queries q CROSS JOIN LATERAL (SELECT key FROM train {where} "
            f"ORDER BY l2_distance({COLUMN}, q.v, '{options}') LIMIT {K}) n ORDER BY q.i")


def grouped(table, number):
    """Sets of keys, by the number of the query."""
    found = {}
    for i, key in zip(table.column(number).to_pylist(), table.column("key").to_pylist()):
        found.setdefault(i, set()).add(key)
    return [found.get(i, set()) for i in range(max(found) + 1)]


def contenders_of(kind, where, ours, ds, queries, keys, indices, alone):
    literals = [run.literal(q) for q in queries]
    clause = f"WHERE {where}" if where else ""
    filtered = {"filter": where.replace('"', "`"), "prefilter": True} if where else {}

    def one(q):
        return ds.to_table(columns=["key"], nearest={"column": COLUMN, "q": q, "k": K, **KNOBS[kind]}, **filtered)

    def statement(text):
        return ours.sql(f"SELECT key FROM train {clause} ORDER BY l2_distance({COLUMN}, {text}, '{OPTIONS[kind]}') LIMIT {K}")

    def by_faiss():
        found = indices[kind].search(queries, K)[1]
        return [set(keys[row[row >= 0]].tolist()) for row in found]

    out = {
        "lanceflight, LATERAL": lambda: grouped(ours.sql(lateral(OPTIONS[kind], clause)), "i"),
        "lanceflight, one by one": lambda: [set(statement(t).column(0).to_pylist()) for t in literals],
        "pylance, batch": lambda: grouped(ds.to_table(columns=["key"], nearest={"column": COLUMN, "q": queries, "k": K, **KNOBS[kind]}, **filtered), "query_index"),
    }
    if alone or kind != "exact":
        out["pylance, one by one"] = lambda: [set(one(q).column("key").to_pylist()) for q in queries]
    if not where:
        out["faiss, batch"] = by_faiss
    return out


def overlap(a, b):
    return sum(len(x & y) for x, y in zip(a, b, strict=True)) / sum(map(len, a))


def measure(table, many, rounds, alone):
    ds = lance.dataset(str(table.resolve()))
    index = next(i for i in ds.list_indices() if i["fields"] == [COLUMN])
    stats = ds.stats.index_stats(index["name"])["indices"][0]
    sub = stats["sub_index"]
    keys, vectors = recall.vectors_of(ds)
    rng = np.random.default_rng(17)
    queries = (vectors[rng.choice(len(vectors), many, replace=False)] + rng.normal(0, 0.01, (many, vectors.shape[1]))).astype("f4")
    path = inproc.DATA / f"faiss-{len(vectors)}-{stats['num_partitions']}-{sub['num_sub_vectors']}.index"
    pq, refined, flat = recall.faiss_index(vectors, stats["num_partitions"], sub["num_sub_vectors"], sub["nbits"], path)
    pq.nprobe = 20
    asked = inproc.OUT / "queries.lance"
    shutil.rmtree(asked, ignore_errors=True)
    lance.write_dataset(pa.table({"i": pa.array(range(many), pa.int32()), "v": pa.FixedSizeListArray.from_arrays(pa.array(queries.ravel()), vectors.shape[1])}), str(asked))
    result = {"rows": ds.count_rows(), "queries": many, "rounds": rounds, "cpus": os.cpu_count(), "versions": {"pylance": lance.__version__, "faiss": faiss.__version__}, "cases": []}
    ours = run.Ours(table, asked)
    try:
        for where in ("", run.CARD):
            truth = None
            for kind in OPTIONS:
                contenders = contenders_of(kind, where, ours, ds, queries, keys, {"exact": flat, "by index": refined}, alone)
                answers = {c: f() for c, f in contenders.items()}
                truth = truth or answers["pylance, batch"]
                plan = str(ours.sql("EXPLAIN " + lateral(OPTIONS[kind], f"WHERE {where}" if where else "")).to_pydict())
                assert "vector_search=batched" in plan, plan
                times = {c: [] for c in contenders}
                for _ in range(rounds):
                    for c, f in contenders.items():
                        t = time.perf_counter()
                        f()
                        times[c].append((time.perf_counter() - t) * 1e3)
                case = {"kind": kind, "filter": where, "all_ms": times, "ms": {c: statistics.median(t) for c, t in times.items()},
                        "recall": {c: overlap(truth, a) for c, a in answers.items()}}
                result["cases"].append(case)
                print(kind, where or "no filter", {c: f"{ms:.0f} ms, {case['recall'][c]:.3f}" for c, ms in case["ms"].items()}, flush=True)
    finally:
        ours.stop()
    return result


def markdown(result):
    names = list(dict.fromkeys(n for c in result["cases"] for n in c["ms"]))
    lines = [f"{result['rows']:,} rows, {result['queries']} query vectors, {result['rounds']} rounds, {result['cpus']} cores, pylance {result['versions']['pylance']}, faiss {result['versions']['faiss']}. "
             "Each cell: milliseconds for all of them, recall.", "",
             "| | " + " | ".join(names) + " | one by one / LATERAL | pylance's best / LATERAL |", "| --- |" + " --: |" * (len(names) + 2)]
    for c in result["cases"]:
        ours = c["ms"]["lanceflight, LATERAL"]
        cells = [f"{c['ms'][n]:,.0f}, {c['recall'][n]:.3f}" if n in c["ms"] else "" for n in names]
        best = min(ms for n, ms in c["ms"].items() if n.startswith("pylance"))
        lines.append(f"| {c['kind']}{', the card’s filter' if c['filter'] else ''} | " + " | ".join(cells) + f" | {c['ms']['lanceflight, one by one'] / ours:.1f} | {best / ours:.1f} |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--laion-rows", type=int, default=100_000)
    p.add_argument("--table", type=Path, help="an existing LAION-shaped table, DIR/train.lance")
    p.add_argument("--queries", type=int, default=100)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--no-exact-loop", action="store_true", help="do not ask pylance for exact answers one by one: minutes, of large tables")
    args = p.parse_args()
    inproc.OUT.mkdir(exist_ok=True)
    inproc.DATA.mkdir(exist_ok=True)
    result = measure(inproc.laion_table(args), args.queries, args.rounds, not args.no_exact_loop)
    figures = inproc.OUT / f"batch-{result['rows']}.json"
    figures.write_text(json.dumps(result, indent=1))
    print(markdown(result))
    print("wrote", figures)


if __name__ == "__main__":
    main()
