#!/usr/bin/env python3
"""Two builds of lanceflight side by side: did a change make anything slower?

Both binaries serve the same table. Every round asks each of them once, in turn, and the order alternates, so that the
drift of the machine hits both alike. What counts is the ratio of medians, and its spread over halves of the rounds says
what it is worth.

    git worktree add /tmp/before HEAD~20 && (cd /tmp/before && go build -o /tmp/lf-before ./cmd/lanceflight)
    .venv/bin/python bench/before.py --before /tmp/lf-before
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import lance
import numpy as np

import run


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--before", type=Path, required=True, help="the other binary")
    p.add_argument("--after", type=Path, default=run.ROOT / "bin" / "lanceflight")
    p.add_argument("--rows", type=int, default=100_000)
    p.add_argument("--table", type=Path, help="an existing LAION-shaped table called train.lance")
    p.add_argument("--rounds", type=int, default=31)
    p.add_argument("--only", default="", help="comma-separated workloads of run.py")
    args = p.parse_args()

    table = args.table or run.HERE / "data" / f"laion-{args.rows}" / "train.lance"
    if not table.exists():
        subprocess.run([sys.executable, run.ROOT / "internal" / "sample" / "make_laion.py", "--rows", str(args.rows), "--out", table,
                        "--image-size", "160", "--fragments", "4", "--btree", "--fts"], check=True)
    ds = lance.dataset(str(table.resolve()))
    servers, work, turns = {}, {}, {}
    try:
        for name, binary in (("before", args.before), ("after", args.after)):
            os.environ["LANCEFLIGHT_BIN"] = str(binary)
            servers[name] = run.Ours(table)
            work[name], turns[name], _ = run.workloads(servers[name], ds, duckdb.connect, np.random.default_rng(5))
        worst = 0
        print(f"{ds.count_rows():,} rows; {args.rounds} rounds; medians in ms; ratio > 1: the new binary is slower")
        print(f"{'workload':<14}{'before':>10}{'after':>10}{'ratio':>8}{'  of halves'}")
        for name in work["after"]:
            if args.only and name not in args.only.split(","):
                continue
            ask = {side: work[side][name][0]["lanceflight"] for side in servers}
            answers = {side: f() for side, f in ask.items()}
            if name != "curate" and answers["before"] != answers["after"]:
                sys.exit(f"{name}: the two binaries answer differently")
            times = {side: [] for side in servers}
            for r in range(-3, args.rounds):  # three rounds to warm up
                for side in list(servers) if r % 2 else reversed(list(servers)):
                    turns[side]["i"] = max(r, 0)
                    t = time.perf_counter()
                    ask[side]()
                    if r >= 0:
                        times[side].append((time.perf_counter() - t) * 1e3)
            med = {side: statistics.median(t) for side, t in times.items()}
            halves = [statistics.median(times["after"][i::2]) / statistics.median(times["before"][i::2]) for i in (0, 1)]
            worst = max(worst, med["after"] / med["before"])
            print(f"{name:<14}{med['before']:>10.2f}{med['after']:>10.2f}{med['after'] / med['before']:>8.2f}  {halves[0]:.2f} {halves[1]:.2f}")
        print(f"worst ratio {worst:.2f}")
    finally:
        for s in servers.values():
            s.stop()


if __name__ == "__main__":
    main()
