#!/usr/bin/env python3
"""Recall against latency of the nearest ten for nprobes 1 to 200: lanceflight over the wire and in process, pylance and faiss in process.

Same table, same queries, k = 10, refine factor 10. pylance and lanceflight search the same index files. faiss has an IVF_PQ
index of its own over the same vectors, with as many lists, sub-vectors and bits, behind IndexRefineFlat with
k_factor 10. Every round takes one query and runs each contender at each nprobes in turn; medians count. lanceflight gets the
query as SQL text; over the wire that includes the stock ADBC driver, whose time for SELECT 1 is the floor.

    make bench                                     # with the rest; writes docs/recall.svg and the table in docs/BENCHMARKS_NOTEBOOK.md
    .venv/bin/python bench/recall.py --docs        # this alone
    .venv/bin/python bench/recall.py --table DIR/train.lance --rounds 10
"""

import argparse
import json
import os
import re
import statistics
import time
from pathlib import Path

os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")

import faiss
import lance
import numpy as np

import inproc
import run

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
K, REFINE = 10, 10
NPROBES = [1, 2, 3, 5, 8, 12, 20, 32, 50, 80, 128, 200]
COLUMN = "img_emb"


def vectors_of(ds):
    """Keys and vectors of the rows that have one."""
    keys, vectors = [], []
    for batch in ds.scanner(columns=["key", COLUMN], filter=f"{COLUMN} IS NOT NULL").to_batches():
        keys.append(batch.column(0).to_numpy())
        vectors.append(batch.column(1).flatten().to_numpy().reshape(batch.num_rows, -1))
    return np.concatenate(keys), np.ascontiguousarray(np.concatenate(vectors), dtype="f4")


def nearest(vectors, queries, k):
    """Positions of the k nearest of each query, by exact distance."""
    found = faiss.IndexFlatL2(vectors.shape[1])
    found.add(vectors)
    return found.search(queries, k)[1]


def faiss_index(vectors, lists, subs, bits, path):
    """IVF_PQ as the table's own, trained on as many vectors for each list and codeword as Lance takes: 256."""
    if path.exists():
        pq = faiss.read_index(str(path))
    else:
        dim = vectors.shape[1]
        pq = faiss.IndexIVFPQ(faiss.IndexFlatL2(dim), dim, lists, subs, bits)
        pq.cp.max_points_per_centroid = 256
        sample = np.random.default_rng(1).choice(len(vectors), min(len(vectors), 256 * max(lists, 1 << bits)), replace=False)
        print(f"training faiss: {lists} lists, {subs} sub-vectors of {bits} bits, {len(sample):,} vectors", flush=True)
        pq.train(vectors[sample])
        pq.add(vectors)
        faiss.write_index(pq, str(path))
    flat = faiss.IndexFlatL2(vectors.shape[1])
    flat.add(vectors)
    refined = faiss.IndexRefine(pq, flat)
    refined.k_factor = REFINE
    return pq, refined, flat  # whoever drops one of them drops what the others point to


def statement(q, nprobes):
    return f"SELECT key FROM train ORDER BY l2_distance({COLUMN}, {run.literal(q)}, 'nprobes={nprobes}, refine_factor={REFINE}') LIMIT {K}"


def faster_faiss(pq, search, rounds=15):
    """faiss can split one query over threads by lists, or not: it gets what is faster here."""
    best = None
    for threads, mode in [(os.cpu_count(), 0), (os.cpu_count(), 1), (1, 0)]:
        faiss.omp_set_num_threads(threads)
        pq.parallel_mode = mode
        times = []
        for i in range(rounds):
            t = time.perf_counter()
            search(i, 20)
            times.append(time.perf_counter() - t)
        if best is None or statistics.median(times) < best[0]:
            best = statistics.median(times), threads, mode
    faiss.omp_set_num_threads(best[1])
    pq.parallel_mode = best[2]
    return {"threads": best[1], "parallel_mode": best[2]}


def measure(table, rounds):
    ds = lance.dataset(str(table.resolve()))
    index = next(i for i in ds.list_indices() if i["fields"] == [COLUMN])
    stats = ds.stats.index_stats(index["name"])["indices"][0]
    sub = stats["sub_index"]
    keys, vectors = vectors_of(ds)
    rng = np.random.default_rng(5)
    queries = vectors[rng.choice(len(vectors), rounds, replace=False)] + rng.normal(0, 0.01, (rounds, vectors.shape[1])).astype("f4")
    truth = [set(keys[row]) for row in nearest(vectors, queries, K)]
    path = inproc.DATA / f"faiss-{len(vectors)}-{stats['num_partitions']}-{sub['num_sub_vectors']}.index"
    pq, refined, flat = faiss_index(vectors, stats["num_partitions"], sub["num_sub_vectors"], sub["nbits"], path)

    def search_faiss(i, nprobes):
        i %= rounds
        pq.nprobe = nprobes
        return keys[refined.search(queries[i:i + 1], K)[1][0]]

    wire, here = run.Ours(table), inproc.Ours()
    try:
        contenders = {
            "lanceflight, over the wire": lambda i, n: wire.sql(statement(queries[i], n)).column(0).to_pylist(),
            "lanceflight, in process": lambda i, n: here.ask("sql", table, [], query=statement(queries[i], n))["seconds"],
            "pylance, in process": lambda i, n: ds.to_table(columns=["key"], nearest={"column": COLUMN, "q": queries[i], "k": K, "nprobes": n, "refine_factor": REFINE}).column(0).to_pylist(),
            "faiss, in process": search_faiss,
        }
        tuned = faster_faiss(pq, search_faiss)
        for n in NPROBES:  # everybody has read what it will read
            for i in range(min(rounds, 10)):
                for search in contenders.values():
                    search(i, n)
        times = {c: {n: [] for n in NPROBES} for c in contenders}
        found = {c: {n: 0 for n in NPROBES} for c in contenders}
        floor = []
        for i in range(rounds):
            t = time.perf_counter()
            wire.sql("SELECT 1")
            floor.append((time.perf_counter() - t) * 1e3)
            for n in NPROBES:
                for c, search in contenders.items():
                    t = time.perf_counter()
                    answer = search(i, n)
                    ms = (time.perf_counter() - t) * 1e3
                    if isinstance(answer, float):  # the process has its own clock, and returns no rows
                        ms, answer = answer * 1e3, found_by_wire
                    elif c.startswith("lanceflight"):
                        found_by_wire = answer
                    times[c][n].append(ms)
                    found[c][n] += len(truth[i] & set(answer))
    finally:
        wire.stop()
        here.stop()
    curves = {c: [{"nprobes": n, "recall": found[c][n] / (K * rounds), "ms": statistics.median(times[c][n])} for n in NPROBES] for c in contenders}
    return {"rows": ds.count_rows(), "vectors": len(vectors), "dim": vectors.shape[1], "partitions": stats["num_partitions"], "sub_vectors": sub["num_sub_vectors"],
            "rounds": rounds, "floor_ms": statistics.median(floor), "cpus": os.cpu_count(), "faiss": tuned, "curves": curves,
            "versions": {"pylance": lance.__version__, "faiss": faiss.__version__}}


def draw(result, path):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "recall", "font.family": "sans-serif", "font.size": 10})
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(8, 5))
    styles = {"lanceflight, over the wire": ("#1f77b4", "--", "o"), "lanceflight, in process": ("#1f77b4", "-", "o"),
              "pylance, in process": ("#d62728", "-", "s"), "faiss, in process": ("#2ca02c", "-", "^")}
    for name, points in result["curves"].items():
        color, line, marker = styles[name]
        ax.plot([p["recall"] for p in points], [p["ms"] for p in points], color=color, linestyle=line, marker=marker, markersize=4, label=name)
        for p in points:
            if p["nprobes"] in (1, 5, 20, 80, 200):
                ax.annotate(str(p["nprobes"]), (p["recall"], p["ms"]), textcoords="offset points", xytext=(3, 5), fontsize=7, color=color)
    ax.axhline(result["floor_ms"], color="#888888", linewidth=0.8, linestyle=":")
    ax.annotate("floor of the wire: SELECT 1", (0.01, result["floor_ms"]), xycoords=("axes fraction", "data"), textcoords="offset points", xytext=(0, 3), fontsize=8, color="#666666")
    ax.set_yscale("log")
    ticks = [0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    lo, hi = ax.get_ylim()
    ax.set_yticks([t for t in ticks if lo <= t <= hi], [f"{t:g}" for t in ticks if lo <= t <= hi])
    ax.minorticks_off()
    ax.set_xlabel("recall@10 (higher is better)")
    ax.set_ylabel("median latency, ms (lower is better)")
    ax.set_title(f"{result['rows']:,} rows × {result['dim']}, IVF_PQ {result['partitions']} × {result['sub_vectors']}, refine {REFINE}; points: nprobes")
    ax.grid(True, linewidth=0.3)
    ax.legend(fontsize=8, loc="center left")
    fig.savefig(path, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")


def markdown(result):
    names = list(result["curves"])
    lines = [f"{result['rows']:,} rows of {result['dim']} dimensions, IVF_PQ of {result['partitions']} partitions and {result['sub_vectors']} sub-vectors, {result['rounds']} queries, {result['cpus']} cores, "
             f"pylance {result['versions']['pylance']}, faiss {result['versions']['faiss']} ({result['faiss']['threads']} thread{'s' * (result['faiss']['threads'] > 1)}, the faster choice). "
             f"Floor of the wire: {result['floor_ms']:.1f} ms. Each cell: recall@10, median ms.", "",
             "| nprobes | " + " | ".join(names) + " | pylance / ours in process | faiss / ours |", "| --: |" + " --: |" * (len(names) + 2)]
    for i, n in enumerate(NPROBES):
        points = {c: result["curves"][c][i] for c in names}
        ours = points["lanceflight, in process"]["ms"]
        lines.append(f"| {n} | " + " | ".join(f"{points[c]['recall']:.3f}, {points[c]['ms']:.2f}" for c in names)
                     + f" | {points['pylance, in process']['ms'] / ours:.1f} | {points['faiss, in process']['ms'] / ours:.1f} |")
    return "\n".join(lines)


BEGIN, END = "<!-- bench/recall.py writes from here -->", "<!-- to here -->"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--laion-rows", type=int, default=100_000)
    p.add_argument("--table", type=Path, help="an existing LAION-shaped table, DIR/train.lance")
    p.add_argument("--rounds", type=int, default=40, help="queries")
    p.add_argument("--docs", action="store_true", help="write docs/recall.svg and the table in docs/BENCHMARKS_NOTEBOOK.md")
    p.add_argument("--redraw", action="store_true", help="from the figures of the last run")
    args = p.parse_args()
    inproc.OUT.mkdir(exist_ok=True)
    inproc.DATA.mkdir(exist_ok=True)
    figures = inproc.OUT / "recall.json"
    if not args.redraw:
        figures.write_text(json.dumps(measure(inproc.laion_table(args), args.rounds), indent=1))
    result = json.loads(figures.read_text())
    text = markdown(result)
    print(text)
    draw(result, inproc.OUT / "recall.svg")
    if args.docs:
        draw(result, ROOT / "docs" / "recall.svg")
        page = ROOT / "docs" / "BENCHMARKS_NOTEBOOK.md"
        page.write_text(re.sub(re.escape(BEGIN) + ".*" + re.escape(END), lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page.read_text(), flags=re.S))
    print("wrote", figures, "and", "docs/recall.svg" if args.docs else inproc.OUT / "recall.svg")


if __name__ == "__main__":
    main()
