#!/usr/bin/env python3
"""Building a vector index: the library call (bench/indexbuild) beside pylance's create_index, with equal parameters on copies of one table.

Each builds in a process of its own: seconds, processor time, and the most memory that was not mapped files (RssAnon, looked at every 20 ms).
pylance then searches both indices: recall@10 against exact search, by nprobes, with the distances of the codes and with a refine factor of 10.

    make bench                                   # with the rest
    .venv/bin/python bench/build.py --table DIR/train.lance --kinds IVF_PQ
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")

import lance
import numpy as np

import inproc
import recall

COLUMN, K = recall.COLUMN, 10
PROBES = [1, 5, 20, 50]


def without_index(table, to):
    """A copy, of the same data files, without an index on the vectors."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(table, to, copy_function=os.link)
    ds = lance.dataset(str(to))
    for index in ds.list_indices():
        if index["fields"] == [COLUMN]:
            ds.drop_index(index["name"])
    return lance.dataset(str(to))


def watched(command):
    """Runs a command that prints JSON in its last line; adds processor seconds and peak memory."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = 0

    def watch():
        nonlocal peak
        while process.poll() is None:
            try:
                for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                    if line.startswith("RssAnon:"):
                        peak = max(peak, int(line.split()[1]))
            except OSError:
                return
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} failed")
    return json.loads(out.splitlines()[-1]) | {"cpu": usage.ru_utime + usage.ru_stime, "mib": peak / 1024}


def child(args):
    """What the process for pylance does."""
    ds = lance.dataset(args.child)
    extra = {"num_sub_vectors": args.sub_vectors} if args.kinds == "IVF_PQ" else {}
    start = time.perf_counter()
    ds.create_index(COLUMN, args.kinds, metric="l2", num_partitions=args.partitions, **extra)
    print(json.dumps({"seconds": time.perf_counter() - start}))


def commit(ds, uuid):
    """Puts index files into a new version."""
    field = next(f for f in ds.lance_schema.fields() if f.name() == COLUMN)
    index = lance.Index(uuid=uuid, name="ours", fields=[field.id()], dataset_version=ds.version,
                        fragment_ids={f.fragment_id for f in ds.get_fragments()}, index_version=1)
    return lance.LanceDataset.commit(ds.uri, lance.LanceOperation.CreateIndex(new_indices=[index], removed_indices=[]), read_version=ds.version)


def recalls(ds, queries, truth):
    out = {}
    for probes in PROBES:
        for refine in (None, 10):
            found = []
            for q, want in zip(queries, truth):
                nearest = {"column": COLUMN, "q": q, "k": K, "nprobes": probes} | ({"refine_factor": refine} if refine else {})
                got = ds.to_table(columns=["key"], nearest=nearest).column("key").to_pylist()
                found.append(len(want & set(got)) / K)
            out[f"{probes}/{refine or 'codes'}"] = {"recall": float(np.mean(found)), "error": float(np.std(found) / np.sqrt(len(found)))}
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--laion-rows", type=int, default=100_000)
    p.add_argument("--table", type=Path, help="an existing LAION-shaped table, DIR/train.lance")
    p.add_argument("--kinds", default="IVF_PQ,IVF_FLAT,IVF_SQ")
    p.add_argument("--partitions", type=int, default=256)
    p.add_argument("--sub-vectors", type=int, default=96)
    p.add_argument("--memory", type=int, default=0, help="our limit of sample and shuffle, bytes")
    p.add_argument("--queries", type=int, default=200)
    p.add_argument("--child", help="internal: build here with pylance")
    args = p.parse_args()
    if args.child:
        return child(args)
    inproc.OUT.mkdir(exist_ok=True)
    inproc.DATA.mkdir(exist_ok=True)
    table = inproc.laion_table(args)
    builder = inproc.OUT / "indexbuild"
    subprocess.run(["go", "build", "-o", builder, "./bench/indexbuild"], cwd=inproc.ROOT, check=True)
    ds = lance.dataset(str(table.resolve()))
    keys, vectors = recall.vectors_of(ds)
    rng = np.random.default_rng(23)
    queries = (vectors[rng.choice(len(vectors), args.queries, replace=False)] + rng.normal(0, 0.01, (args.queries, vectors.shape[1]))).astype("f4")
    truth = [set(keys[row].tolist()) for row in recall.nearest(vectors, queries, K)]
    rows, dim = ds.count_rows(), vectors.shape[1]
    del vectors
    result = {"rows": rows, "dim": dim, "partitions": args.partitions, "sub_vectors": args.sub_vectors, "queries": args.queries, "memory": args.memory,
              "cpus": os.cpu_count(), "pylance": lance.__version__, "kinds": {}}
    print(f"{rows:,} rows × {dim}, {args.partitions} partitions, {args.queries} queries, pylance {lance.__version__}; searched by pylance")
    for kind in args.kinds.split(","):
        mine, other = inproc.DATA / "built.ours.lance", inproc.DATA / "built.theirs.lance"
        empty = without_index(table, mine)
        without_index(table, other)
        sub = ["-sub-vectors", str(args.sub_vectors)] if kind == "IVF_PQ" else []
        ours = watched([str(builder), "-table", str(mine), "-column", COLUMN, "-kind", kind, "-partitions", str(args.partitions), "-memory", str(args.memory), *sub])
        theirs = watched([sys.executable, __file__, "--child", str(other), "--kinds", kind, "--partitions", str(args.partitions), "--sub-vectors", str(args.sub_vectors)])
        ours["recall"], theirs["recall"] = recalls(commit(empty, ours["uuid"]), queries, truth), recalls(lance.dataset(str(other)), queries, truth)
        result["kinds"][kind] = {"lanceflight": ours, "pylance": theirs}
        print(f"{kind}: {ours['seconds']:.1f} s, {ours['cpu']:.1f} s of CPU, {ours['mib']:.0f} MiB; pylance {theirs['seconds']:.1f} s, {theirs['cpu']:.1f} s of CPU, {theirs['mib']:.0f} MiB; "
              f"partitions of {ours['smallest']} to {ours['largest']} rows; stages { {k: round(v, 1) for k, v in ours['stages'].items()} }")
        for setting, a in ours["recall"].items():
            b = theirs["recall"][setting]
            print(f"   nprobes/refine {setting:>9}: recall {a['recall']:.3f} ± {a['error']:.3f}, pylance's {b['recall']:.3f} ± {b['error']:.3f}", flush=True)
        shutil.rmtree(mine)
        shutil.rmtree(other)
    figures = inproc.OUT / f"build-{rows}.json"
    figures.write_text(json.dumps(result, indent=1))
    print("wrote", figures)


if __name__ == "__main__":
    main()
