#!/usr/bin/env python3
"""Side by side: lanceflight over the wire, pylance in process, DuckDB over pylance, on one table in one run.

Every round runs each contender once, in turn, so that the machine's drift hits all alike; what counts is
the ratio of medians. Our side always pays for SQL, planning and the wire through the stock ADBC driver;
the time of `SELECT 1` on the same connection, interleaved, is the floor that the driver costs. Answers are
checked against one another before anything is timed. Query vectors are handed over in each side's form,
made before the clock runs: pylance gets an array of numpy, we get the vector written into the SQL text.

    make bench                                   # 100,000 rows
    make bench BENCH_ARGS='--rows 1000000 --rounds 5'
    .venv/bin/python bench/run.py --table DIR/NAME.lance --only count,ann
"""

import argparse
import itertools
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("LANCE_LOG", "error")  # before lance is imported: it warns on every search

import adbc_driver_flightsql.dbapi as flightsql
import duckdb
import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

warnings.filterwarnings("ignore", message="Cannot disable autocommit")
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CARD = '"NSFW" = 0 AND similarity > 0.3 AND width >= 512'
CARD_LANCE = CARD.replace('"', "`")


class Ours:
    def __init__(self, *tables):
        self.process = subprocess.Popen([os.environ.get("LANCEFLIGHT_BIN", ROOT / "bin" / "lanceflight"), "serve", "--addr", "127.0.0.1:0", *tables],
                                        stdout=subprocess.PIPE, text=True)
        self.url = re.search(r"ready on (\S+)", self.process.stdout.readline()).group(1)
        self.conn = flightsql.connect(self.url)

    def sql(self, text):
        """The result as an Arrow table."""
        with self.conn.cursor() as cur:
            cur.execute(text)
            return cur.fetch_arrow_table()

    def drain(self, text):
        """All batches, without keeping them: what a training loop does."""
        rows = 0
        with self.conn.cursor() as cur:
            cur.execute(text)
            for batch in cur.fetch_record_batch():
                rows += batch.num_rows
        return rows

    def rss_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        self.conn.close()
        self.process.terminate()
        self.process.wait(20)


def literal(q):
    return "[" + ",".join(repr(float(x)) for x in q) + "]"


def drain(scanner):
    return sum(b.num_rows for b in scanner.to_batches())


def workloads(ours, ds, duck, rng):
    """name -> (contender -> function returning the answer, how to compare two answers)."""
    rows = ds.count_rows()
    keys = sorted(int(k) for k in ds.take(sorted(rng.choice(rows, 100, replace=False).tolist()), columns=["key"]).column(0).to_pylist())
    some = rng.choice(rows, 64, replace=False)
    vectors = [v.values.to_numpy() for v in ds.take(sorted(some.tolist()), columns=["img_emb"]).column(0) if v.is_valid][:20]
    vectors = [v + rng.normal(0, 0.01, v.shape).astype("f4") for v in vectors]
    texts = [literal(v) for v in vectors]
    turn = {"i": 0}

    def q():
        return vectors[turn["i"] % len(vectors)]

    fresh = itertools.count(1)

    def fresh_card():
        """The card's filter with another constant each time: no search before had it."""
        return f'"NSFW" = 0 AND similarity > {0.3 + next(fresh) * 1e-9:.9f} AND width >= 512'

    def text():
        return texts[turn["i"] % len(texts)]

    def same(a, b):
        return a == b

    def close(a, b):
        return np.allclose(np.asarray(a, dtype="f8"), np.asarray(b, dtype="f8"), rtol=1e-9)

    def near(a, b):
        """Neighbour lists: nine in ten in common. Ties and estimates may differ."""
        return len(set(a) & set(b)) >= 0.9 * min(len(a), len(b))

    def any_result(a, b):
        return True

    def column(t, i=0):
        return t.column(i).to_pylist()

    def nearest(vector, **kw):
        return {"column": "img_emb", "q": vector, **kw}

    in_keys = ", ".join(map(str, keys))
    return {
        "count": ({
            "lanceflight": lambda: column(ours.sql("SELECT count(*) FROM train")),
            "pylance": lambda: [ds.count_rows()],
            "duckdb": lambda: column(duck("SELECT count(*) FROM ds")),
        }, same),
        "sum": ({
            "lanceflight": lambda: [int(x) for x in column(ours.sql("SELECT sum(width) FROM train"))],
            "pylance": lambda: [pc.sum(ds.to_table(columns=["width"]).column(0)).as_py()],
            "duckdb": lambda: [int(x) for x in column(duck("SELECT sum(width) FROM ds"))],
        }, same),
        "filter": ({
            "lanceflight": lambda: ours.sql(f"SELECT key, url, caption FROM train WHERE {CARD}").num_rows,
            "pylance": lambda: ds.to_table(columns=["key", "url", "caption"], filter=CARD_LANCE).num_rows,
            "duckdb": lambda: duck(f"SELECT key, url, caption FROM ds WHERE {CARD}").num_rows,
        }, same),
        "group by": ({
            "lanceflight": lambda: sorted(column(ours.sql('SELECT "LICENSE", count(*) AS n, avg(similarity) AS s FROM train GROUP BY "LICENSE"'), 1)),
            "pylance": lambda: sorted(ds.to_table(columns=["LICENSE", "similarity"]).group_by("LICENSE").aggregate([([], "count_all"), ("similarity", "mean")]).column("count_all").to_pylist()),
            "duckdb": lambda: sorted(column(duck('SELECT "LICENSE", count(*) AS n, avg(similarity) AS s FROM ds GROUP BY "LICENSE"'), 1)),
        }, same),
        "top-100": ({
            "lanceflight": lambda: column(ours.sql("SELECT similarity, key FROM train WHERE similarity IS NOT NULL ORDER BY similarity DESC LIMIT 100")),
            "pylance": lambda: (lambda t: t.take(pc.select_k_unstable(t, 100, [("similarity", "descending")])).column(0).to_pylist())(ds.to_table(columns=["similarity", "key"], filter="similarity IS NOT NULL")),
            "duckdb": lambda: column(duck("SELECT similarity, key FROM ds WHERE similarity IS NOT NULL ORDER BY similarity DESC LIMIT 100")),
        }, same),
        "like": ({
            "lanceflight": lambda: column(ours.sql("SELECT count(*) FROM train WHERE caption LIKE '%cat%'")),
            "pylance": lambda: [ds.count_rows(filter="caption LIKE '%cat%'")],
            "duckdb": lambda: column(duck("SELECT count(*) FROM ds WHERE caption LIKE '%cat%'")),
        }, same),
        "distinct": ({
            "lanceflight": lambda: column(ours.sql("SELECT count(DISTINCT caption) FROM train")),
            "pylance": lambda: [pc.count_distinct(ds.to_table(columns=["caption"]).column(0)).as_py()],
            "duckdb": lambda: column(duck("SELECT count(DISTINCT caption) FROM ds")),
        }, same),
        "embeddings": ({
            "lanceflight": lambda: ours.drain("SELECT img_emb FROM train"),
            "pylance": lambda: drain(ds.scanner(columns=["img_emb"])),
            "duckdb": lambda: duck("SELECT img_emb FROM ds").num_rows,
        }, same),
        "images": ({
            "lanceflight": lambda: column(ours.sql(f"SELECT key, image FROM train WHERE key IN ({in_keys}) ORDER BY key")),
            "pylance": lambda: sorted(column(ds.to_table(columns=["key", "image"], filter=f"key IN ({in_keys})"))),
            "duckdb": lambda: sorted(column(duck(f"SELECT key, image FROM ds WHERE key IN ({in_keys})"))),
        }, same),
        "exact": ({
            "lanceflight": lambda: column(ours.sql(f"SELECT key FROM train ORDER BY l2_distance(img_emb, {text()}, 'use_index=false') LIMIT 10")),
            "pylance": lambda: column(ds.to_table(columns=["key"], nearest=nearest(q(), k=10, use_index=False))),
        }, near),
        "ann": ({
            "lanceflight": lambda: column(ours.sql(f"SELECT key FROM train ORDER BY l2_distance(img_emb, {text()}, 'nprobes=20, refine_factor=10') LIMIT 10")),
            "pylance": lambda: column(ds.to_table(columns=["key"], nearest=nearest(q(), k=10, nprobes=20, refine_factor=10))),
        }, near),
        "curate": ({
            "lanceflight": lambda: column(ours.sql(f"SELECT key FROM train WHERE {fresh_card()} ORDER BY l2_distance(img_emb, {text()}, 'nprobes=20, refine_factor=10') LIMIT 100")),
            "pylance": lambda: column(ds.to_table(columns=["key"], filter=fresh_card().replace('"', "`"), prefilter=True, nearest=nearest(q(), k=100, nprobes=20, refine_factor=10))),
        }, any_result),
        "curate again": ({
            "lanceflight": lambda: column(ours.sql(f"SELECT key FROM train WHERE {CARD} ORDER BY l2_distance(img_emb, {text()}, 'nprobes=20, refine_factor=10') LIMIT 100")),
            "pylance": lambda: column(ds.to_table(columns=["key"], filter=CARD_LANCE, prefilter=True, nearest=nearest(q(), k=100, nprobes=20, refine_factor=10))),
        }, any_result),
    }, turn, vectors


def recall(ours, ds, vectors, k, where):
    """recall@k of both sides at 20 probes and refine 10, against exact search."""
    found = {"lanceflight": 0, "pylance": 0}
    total = 0
    for v in vectors:
        clause = f"WHERE {where}" if where else ""
        kw = dict(filter=where.replace('"', "`"), prefilter=True) if where else {}
        truth = set(ds.to_table(columns=["key"], nearest={"column": "img_emb", "q": v, "k": k, "use_index": False}, **kw).column(0).to_pylist())
        a = ours.sql(f"SELECT key FROM train {clause} ORDER BY l2_distance(img_emb, {literal(v)}, 'nprobes=20, refine_factor=10') LIMIT {k}").column(0).to_pylist()
        b = ds.to_table(columns=["key"], nearest={"column": "img_emb", "q": v, "k": k, "nprobes": 20, "refine_factor": 10}, **kw).column(0).to_pylist()
        found["lanceflight"] += len(truth & set(a))
        found["pylance"] += len(truth & set(b))
        total += len(truth)
    return {name: n / total for name, n in found.items()}


def clients(ours, ds, vectors, seconds):
    """ANN queries a second of eight clients: a Go load generator for us, eight threads for pylance; and the processor time of a query, ours
    with the load generator's, which other users of the machine disturb less."""
    queries = ROOT / "bench" / "out" / "queries.txt"
    queries.write_text("".join(
        f"SELECT key FROM train ORDER BY l2_distance(img_emb, {literal(v)}, 'nprobes=20, refine_factor=10') LIMIT 10\n" for v in vectors))
    address = ours.url.split("//")[1]
    load = ROOT / "bench" / "out" / "load"
    subprocess.run(["go", "build", "-o", load, "./bench/load"], cwd=ROOT, check=True)

    def spent():
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        server = Path(f"/proc/{ours.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return children.ru_utime + children.ru_stime + (int(server[11]) + int(server[12])) / os.sysconf("SC_CLK_TCK")

    cpu = spent()
    done = subprocess.run([load, "-addr", address, "-clients", "8", "-seconds", str(seconds), "-queries", str(queries)],
                          cwd=ROOT, capture_output=True, text=True, check=True)
    mine = json.loads(done.stdout)
    mine["cpu"] = (spent() - cpu) / mine["queries"]
    import threading
    counts = [0] * 8
    cpu = time.process_time()
    stop = time.monotonic() + seconds

    def work(i):
        while time.monotonic() < stop:
            ds.to_table(columns=["key"], nearest={"column": "img_emb", "q": vectors[(i + counts[i]) % len(vectors)], "k": 10, "nprobes": 20, "refine_factor": 10})
            counts[i] += 1
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    return {"lanceflight": mine["per_second"], "pylance": sum(counts) / seconds, "lanceflight_cpu_ms": mine["cpu"] * 1e3, "pylance_cpu_ms": (time.process_time() - cpu) / max(1, sum(counts)) * 1e3,
            "lanceflight_p50_ms": mine["p50_ms"], "lanceflight_p99_ms": mine["p99_ms"]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, default=100_000)
    p.add_argument("--table", type=Path, help="an existing LAION-shaped table; its name is served as it is called")
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--only", default="", help="comma-separated workloads")
    p.add_argument("--seconds", type=float, default=5, help="length of the eight-client run")
    args = p.parse_args()
    out = HERE / "out"
    out.mkdir(exist_ok=True)

    table = args.table
    if table is None:
        table = HERE / "data" / f"laion-{args.rows}" / "train.lance"
        if not table.exists():
            size = "96" if args.rows > 200_000 else "160"
            subprocess.run([sys.executable, ROOT / "internal" / "sample" / "make_laion.py", "--rows", str(args.rows), "--out", table,
                            "--image-size", size, "--fragments", "4", "--btree", "--fts"], check=True)
    elif table.name != "train.lance":
        link = out / "train.lance"
        link.unlink(missing_ok=True)
        link.symlink_to(table.resolve())
        table = link

    ds = lance.dataset(str(table.resolve()))
    con = duckdb.connect()

    def duck(sql):
        con.register("ds", ds)
        return con.execute(sql).to_arrow_table()

    ours = Ours(table)
    result = {"table": str(table), "rows": ds.count_rows(), "machine": {"cpus": os.cpu_count(), "platform": platform.platform()},
              "versions": {"pylance": lance.__version__, "duckdb": duckdb.__version__, "pyarrow": pa.__version__}, "workloads": {}}
    try:
        work, turn, vectors = workloads(ours, ds, duck, np.random.default_rng(5))
        chosen = [w for w in work if not args.only or w in args.only.split(",")]
        print(f"{result['rows']:,} rows; {args.rounds} rounds; medians in ms; ratio > 1: we are faster")
        print(f"{'workload':<12}{'lanceflight':>12}{'above floor':>12}{'pylance':>10}{'duckdb':>10}{'vs pylance':>11}{'vs best':>9}  agree")
        for name in chosen:
            contenders, agree = work[name]
            if name in ("ann", "curate", "curate again"):  # every round has its own query vector: warm what each will read
                for turn["i"] in range(args.rounds):
                    for f in contenders.values():
                        f()
            turn["i"] = 0
            answers = {c: f() for c, f in contenders.items()}
            ok = all(agree(answers["lanceflight"], a) for a in answers.values())
            times = {c: [] for c in contenders} | {"floor": []}
            for r in range(args.rounds):
                turn["i"] = r
                for c, f in [("floor", lambda: ours.sql("SELECT 1")), *contenders.items()]:
                    t = time.perf_counter()
                    f()
                    times[c].append((time.perf_counter() - t) * 1e3)
            med = {c: statistics.median(t) for c, t in times.items()}
            above = max(med["lanceflight"] - med["floor"], 0.01)
            best = min(v for c, v in med.items() if c not in ("lanceflight", "floor"))
            result["workloads"][name] = {"median_ms": med, "all_ms": times, "above_floor_ms": above, "agree": ok,
                                         "ratio_pylance": med["pylance"] / med["lanceflight"], "ratio_best": best / med["lanceflight"],
                                         "ratio_best_above_floor": best / above}
            print(f"{name:<12}{med['lanceflight']:>12.2f}{above:>12.2f}{med['pylance']:>10.2f}{med.get('duckdb', float('nan')):>10.2f}"
                  f"{med['pylance'] / med['lanceflight']:>10.2f}x{best / med['lanceflight']:>8.2f}x  {'yes' if ok else 'NO'}")
            if not ok:
                print(f"  answers differ: { {c: str(a)[:100] for c, a in answers.items()} }", file=sys.stderr)
        if not args.only:
            result["recall"] = {"ann": recall(ours, ds, vectors, 10, ""), "curate": recall(ours, ds, vectors, 100, CARD)}
            print("recall@10 ann   ", result["recall"]["ann"])
            print("recall@100 curate", result["recall"]["curate"])
            result["clients"] = clients(ours, ds, vectors, args.seconds)
            print("8 clients, ANN queries a second:", {k: round(v, 1) for k, v in result["clients"].items()})
            result["server_rss_mib"] = ours.rss_mib()
            print(f"server memory after the run: {result['server_rss_mib']:.0f} MiB resident (mapped pages included)")
    finally:
        ours.stop()
    target = out / f"bench-{result['rows']}.json"
    target.write_text(json.dumps(result, indent=1))
    print("wrote", target)
    if not all(w["agree"] for w in result["workloads"].values()):
        sys.exit("answers differ: see above")


if __name__ == "__main__":
    main()
