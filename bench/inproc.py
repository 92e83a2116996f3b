#!/usr/bin/env python3
"""The format alone: lancefmt in its process (bench/inproc) against pylance in this one, on the same tables.

For every column type and encoding, in every storage version, a scan of the column and a take of 100
random rows; on the LAION-shaped table the embeddings, 100 images, what opening costs, and SQL filters
that its scalar indices answer. Every round
runs both sides in turn; what counts is the ratio of medians, over 1 where lancefmt is the faster, and on a
machine that others use too the ratio of processor times, which they disturb less.

    .venv/bin/python bench/inproc.py                        # what make bench runs, a few minutes
    .venv/bin/python bench/inproc.py --only string --rounds 15 --storage 2.2
    .venv/bin/python bench/inproc.py --profile 'int64 bitpacked' --storage 2.1   # bench/out/*.prof of lancefmt
"""

import argparse
import decimal
import functools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("LANCE_LOG", "error")  # before lance is imported

import lance
import lance.arrow
import numpy as np
import pyarrow as pa
from lance.blob import blob_array, blob_field

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OUT = HERE / "out"
DATA = HERE / "data"
WORDS = "a the of red blue small large cat dog house tree photo picture on with in vintage wooden table lamp river mountain sea city street".split()


# --- tables -------------------------------------------------------------------------------------

def nulls(rng, n, share):
    return rng.random(n) < share if share else None


def texts(rng, n, words):
    """n captions of about so many words."""
    counts = rng.integers(max(1, words // 2), words * 3 // 2 + 1, n)
    pool = np.array(WORDS, dtype=object)
    flat = pool[rng.integers(0, len(pool), int(counts.sum()))]
    ends = np.cumsum(counts)
    return [" ".join(flat[e - c:e]) + f" {i % 9973}" for i, (c, e) in enumerate(zip(counts, ends))]


def blobs(rng, n, low, high):
    sizes = rng.integers(low, high, n)
    pool = rng.bytes(high * 4)
    starts = rng.integers(0, high * 3, n)
    return [pool[s:s + z] for s, z in zip(starts, sizes)]


def lists(values, rng, n, longest, mask_share=0.0, large=False):
    counts = rng.integers(0, longest + 1, n)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    values = values(int(offsets[-1]))
    mask = None
    if mask_share:
        mask = pa.array(rng.random(n) < mask_share)
    cls = pa.LargeListArray if large else pa.ListArray
    return cls.from_arrays(pa.array(offsets, type=pa.int64() if large else pa.int32()), values, mask=mask)


def embeddings(rng, n, dim, dtype, share):
    flat = pa.array(rng.standard_normal(n * dim).astype(dtype))
    if not share:
        return pa.FixedSizeListArray.from_arrays(flat, dim)
    return pa.FixedSizeListArray.from_arrays(flat, dim, mask=pa.array(rng.random(n) < share))


def cases(rng, n, wide):
    """name -> (array, field metadata). n rows for narrow columns, wide ones have their own table."""
    i = np.arange(n)
    small = rng.integers(0, 1000, n)
    any64 = rng.integers(-2**62, 2**62, n)
    comp = lambda c: {"lance-encoding:compression": c}
    form = lambda s: {"lance-encoding:structural-encoding": s}
    narrow = {
        "int64 flat": (pa.array(any64), comp("none")),
        "int64 flat, NULLs": (pa.array(any64, mask=nulls(rng, n, 0.1)), comp("none")),
        "int64 bitpacked": (pa.array(small), {}),
        "int64 bitpacked, NULLs": (pa.array(small, mask=nulls(rng, n, 0.1)), {}),
        "int64 runs": (pa.array(i // 500), {"lance-encoding:rle-threshold": "0.9"}),
        "int64 lz4": (pa.array(small), comp("lz4")),
        "int64 zstd": (pa.array(small), comp("zstd")),
        "int64 full-zip": (pa.array(any64), form("fullzip")),
        "int64 all NULL": (pa.nulls(n, pa.int64()), {}),
        "int64 constant": (pa.array(np.full(n, 42)), {}),
        "int32": (pa.array(rng.integers(-2**31, 2**31, n).astype("i4")), {}),
        "int16": (pa.array(rng.integers(-2**15, 2**15, n).astype("i2")), {}),
        "uint8": (pa.array(rng.integers(0, 256, n).astype("u1")), {}),
        "bool": (pa.array(rng.random(n) < 0.3), {}),
        "bool, NULLs": (pa.array(rng.random(n) < 0.3, mask=nulls(rng, n, 0.5)), {}),
        "float64": (pa.array(rng.standard_normal(n)), {}),
        "float32, NULLs": (pa.array(rng.standard_normal(n).astype("f4"), mask=nulls(rng, n, 0.1)), {}),
        "float32 byte stream split": (pa.array(np.cumsum(rng.standard_normal(n)).astype("f4")), {"lance-encoding:bss": "on", "lance-encoding:compression": "lz4"}),
        "float16": (pa.array(rng.standard_normal(n).astype("f2")), {}),
        "decimal128": (pa.array([decimal.Decimal(int(x)) / 100 for x in small], pa.decimal128(12, 2)), {}),
        "date32": (pa.array((small % 700).astype("i4")).cast(pa.date32()), {}),
        "timestamp": (pa.array(1_700_000_000_000_000 + i * 1000 + small, pa.timestamp("us", "UTC")), {}),
        "fixed-size binary": (pa.array(blobs(rng, n, 16, 17), pa.binary(16)), {}),
        "string short": (pa.array([f"k{x}" for x in any64 % 10**9]), comp("none")),
        "string short FSST": (pa.array(texts(rng, n, 4)), {}),
        "string, NULLs": (pa.array(texts(rng, n, 8), mask=nulls(rng, n, 0.2)), {}),
        "string captions": (pa.array(texts(rng, n, 12)), {}),
        "string captions, plain": (pa.array(texts(rng, n, 12)), comp("none")),
        "string captions, zstd": (pa.array(texts(rng, n, 12)), comp("zstd")),
        "large string": (pa.array(texts(rng, n, 12), pa.large_string()), {}),
        "string dictionary page": (pa.array(np.array(WORDS, dtype=object)[small % len(WORDS)]), {}),
        "dictionary type": (pa.DictionaryArray.from_arrays(pa.array((small % len(WORDS)).astype("i4")), pa.array(WORDS)), {}),
        "list of int32": (lists(lambda k: pa.array(rng.integers(0, 1000, k).astype("i4")), rng, n // 4, 8), {}),
        "list of int32, NULLs": (lists(lambda k: pa.array(rng.integers(0, 1000, k).astype("i4"), mask=nulls(rng, k, 0.1)), rng, n // 4, 8, 0.1), {}),
        "large list of float32": (lists(lambda k: pa.array(rng.standard_normal(k).astype("f4")), rng, n // 4, 8, large=True), {}),
        "list of strings": (lists(lambda k: pa.array([WORDS[x % len(WORDS)] + str(x % 977) for x in range(k)]), rng, n // 8, 6, 0.05), {}),
        "list of structs": (lists(lambda k: pa.StructArray.from_arrays([pa.array(rng.integers(0, 1000, k)), pa.array(rng.standard_normal(k))], ["a", "b"]), rng, n // 8, 6), {}),
        "struct": (pa.StructArray.from_arrays([pa.array(small), pa.array(rng.standard_normal(n))], ["a", "b"]), {}),
        "struct, NULLs": (pa.StructArray.from_arrays([pa.array(small), pa.array(rng.standard_normal(n))], ["a", "b"], mask=pa.array(rng.random(n) < 0.1)), {}),
        "struct packed": (pa.StructArray.from_arrays([pa.array(any64), pa.array(rng.standard_normal(n))], ["a", "b"]), {"lance-encoding:packed": "true"}),
        "vector of 8 float32": (embeddings(rng, n // 4, 8, "f4", 0), {}),
    }
    narrow.update(more_cases(rng, n, small, any64, comp, form))
    w = wide
    broad = {
        "embedding 768 float32": (embeddings(rng, w, 768, "f4", 0), {}),
        "embedding 768 float32, NULLs": (embeddings(rng, w, 768, "f4", 0.05), {}),
        "embedding 768 float16": (embeddings(rng, w, 768, "f2", 0), {}),
        "embedding 128 float64": (embeddings(rng, w, 128, "f8", 0), {}),
        "binary 2 to 12 KiB (JPEG)": (pa.array(blobs(rng, w, 2000, 12000), pa.binary()), {}),
        "binary 2 to 12 KiB, NULLs": (pa.array(blobs(rng, w, 2000, 12000), pa.binary(), mask=nulls(rng, w, 0.05)), {}),
        "large binary": (pa.array(blobs(rng, w, 2000, 12000), pa.large_binary()), {}),
        "string long": (pa.array(texts(rng, w, 100)), {}),
        "string long, plain": (pa.array(texts(rng, w, 100)), comp("none")),
        "string long, zstd": (pa.array(texts(rng, w, 100)), comp("zstd")),
        "list of 100 float32": (lists(lambda k: pa.array(rng.standard_normal(k).astype("f4")), rng, w, 200), {}),
        "embedding 768 bfloat16": (pa.FixedSizeListArray.from_arrays(bfloat16(rng, w * 768), 768), {}),
        "embedding 768 float32, NULL items": (pa.FixedSizeListArray.from_arrays(pa.array(rng.standard_normal(w * 768).astype("f4"), mask=nulls(rng, w * 768, 0.01)), 768), {}),
        "embedding 768 uint8": (pa.FixedSizeListArray.from_arrays(pa.array(rng.integers(0, 16, w * 768).astype("u1")), 768), {}),
        "list of embeddings 64 float32": (lists(lambda k: embeddings(rng, k, 64, "f4", 0), rng, w, 8), {}),
        "list of images": (lists(lambda k: pa.array(blobs(rng, k, 1000, 3000), pa.binary()), rng, w // 2, 4), {}),
        "struct of image and text": (pa.StructArray.from_arrays([pa.array(blobs(rng, w, 2000, 12000), pa.binary()), pa.array(texts(rng, w, 12))], ["image", "text"]), {}),
        "binary 100 KiB": (pa.array(blobs(rng, w // 20, 90_000, 110_000), pa.binary()), {}),
        "string long, full-zip zstd": (pa.array(texts(rng, w, 100)), {**form("fullzip"), **comp("zstd")}),
        "JSON long": (documents(rng, w, 40), {}),
        "blob v1": (pa.array(blobs(rng, w, 2000, 12000), pa.large_binary()), {"lance-encoding:blob": "true"}),
        "blob v1, NULLs": (pa.array(blobs(rng, w, 2000, 12000), pa.large_binary(), mask=nulls(rng, w, 0.2)), {"lance-encoding:blob": "true"}),
        "blob v2 inline": (blob_array(blobs(rng, w, 2000, 12000)), dict(blob_field("c").metadata or {})),
        "blob v2 in files of their own": (blob_array(blobs(rng, w, 2000, 12000)), dict(blob_field("c", inline_size_threshold=100).metadata or {})),
    }
    return {**narrow, **broad}


def bfloat16(rng, n):
    """n numbers of Lance's extension type: the upper halves of float32."""
    storage = pa.array((rng.standard_normal(n).astype("f4").view("u4") >> 16).astype("u2")).view(pa.binary(2))
    return pa.ExtensionArray.from_storage(lance.arrow.BFloat16Type(), storage)


def documents(rng, n, keys):
    names = rng.integers(0, len(WORDS), (n, keys))
    return pa.array([json.dumps({WORDS[x] + str(j): int(x) for j, x in enumerate(row)}) for row in names], pa.json_())


def more_cases(rng, n, small, any64, comp, form):
    """The other types and layouts that Lance 14.0.2 writes, in their own order: those above keep their random numbers."""
    i = np.arange(n)
    q = n // 4
    ints = lambda k: pa.array(rng.integers(0, 1000, k).astype("i4"))
    words = lambda k: pa.array([WORDS[x % len(WORDS)] + str(x % 977) for x in range(k)])
    pairs = lambda k: pa.StructArray.from_arrays([ints(k), words(k)], ["a", "b"], mask=pa.array(rng.random(k) < 0.1))
    whole, tenth = {"lance-encoding:minichunk-size": "32768"}, lambda k: nulls(rng, k, 0.1)
    return {
        "null": (pa.nulls(n), {}),
        "int8": (pa.array(rng.integers(-128, 128, n).astype("i1")), {}),
        "uint16, NULLs": (pa.array(small.astype("u2"), mask=tenth(n)), {}),
        "uint32 full-zip, NULLs": (pa.array(any64.astype("u4"), mask=tenth(n)), form("fullzip")),
        "uint64": (pa.array(any64.astype("u8")), {}),
        "int64 few values": (pa.array((small % 50) * 1_234_567_890_123), {"lance-encoding:dict-divisor": "2"}),
        "int64 runs, NULLs": (pa.array(i // 500, mask=nulls(rng, n // 500 + 1, 0.2).repeat(500)[:n]), {"lance-encoding:rle-threshold": "0.9"}),
        "int64 large chunks": (pa.array(any64), {**comp("none"), **whole}),
        "int64 large chunks, zstd": (pa.array(small), {**comp("zstd"), **whole}),
        "int64 full-zip, zstd": (pa.array(small), {**form("fullzip"), **comp("zstd")}),
        "bfloat16": (bfloat16(rng, n), {}),
        "float16, NULLs": (pa.array(rng.standard_normal(n).astype("f2"), mask=tenth(n)), {}),
        "float64 byte stream split, zstd": (pa.array(np.cumsum(rng.standard_normal(n))), {"lance-encoding:bss": "on", **comp("zstd")}),
        "decimal128 large, NULLs": (pa.array([None if x % 10 == 0 else decimal.Decimal(int(x)) * 10**9 for x in any64], pa.decimal128(38, 0)), {}),
        "decimal256": (pa.array([decimal.Decimal(int(x)) / 100 for x in small], pa.decimal256(50, 2)), {}),
        "date64": (pa.array((small % 700) * 86_400_000, pa.date64()), {}),
        "time32": (pa.array((small * 77).astype("i4"), pa.time32("ms")), {}),
        "time64, NULLs": (pa.array(small * 77_777_777, pa.time64("ns"), mask=tenth(n)), {}),
        "timestamp, NULLs": (pa.array(1_700_000_000 + i, pa.timestamp("s"), mask=tenth(n)), {}),
        "duration": (pa.array(small * 1000, pa.duration("ns")), {}),
        "fixed-size binary, NULLs": (pa.array(blobs(rng, n, 12, 13), pa.binary(12), mask=tenth(n)), {}),
        "string all NULL": (pa.nulls(n, pa.string()), {}),
        "string constant": (pa.array(["the same picture"] * n), {}),
        "string runs": (pa.array([WORDS[x % len(WORDS)] * 5 for x in i // 300]), {}),
        "string captions, lz4": (pa.array(texts(rng, n, 12)), comp("lz4")),
        "string captions, FSST": (pa.array(texts(rng, n, 12)), comp("fsst")),
        "string captions, FSST, NULLs": (pa.array(texts(rng, n, 12), mask=tenth(n)), comp("fsst")),
        "string captions, zstd, large chunks": (pa.array(texts(rng, n, 12)), {**comp("zstd"), **whole}),
        "string captions, full-zip": (pa.array(texts(rng, n, 12)), {**form("fullzip"), **comp("none")}),
        "string captions, full-zip, NULLs": (pa.array(texts(rng, n, 12), mask=tenth(n)), form("fullzip")),
        "string many empty": (pa.array([WORDS[x % len(WORDS)] if x % 3 == 0 else "" for x in small]), comp("none")),
        "binary short": (pa.array(blobs(rng, n, 4, 20), pa.binary()), {}),
        "JSON": (documents(rng, n // 8, 4), {}),
        "dictionary type, NULLs": (pa.DictionaryArray.from_arrays(pa.array((small % len(WORDS)).astype("i1"), mask=tenth(n)), pa.array(WORDS)), {}),
        "dictionary type, 5,000 long values": (pa.DictionaryArray.from_arrays(pa.array((any64 % 5000).astype("i2")), pa.array(texts(rng, 5000, 30))), {}),
        "list of int64 runs": (lists(lambda k: pa.array(np.arange(k) // 100), rng, q, 8), {}),
        "list of short lists": (lists(lambda k: lists(ints, rng, k, 4, 0.1), rng, n // 8, 4, 0.1), {}),
        "list of structs, NULLs": (lists(pairs, rng, n // 8, 6, 0.1), {}),
        "large list of strings": (lists(words, rng, n // 8, 6, large=True), {}),
        "map of strings to int32": (pa.MapArray.from_arrays(pa.array(np.arange(n // 8 + 1) * 3, pa.int32()), words(n // 8 * 3), ints(n // 8 * 3)), {}),
        "struct of struct and list": (pa.StructArray.from_arrays([pairs(q), lists(ints, rng, q, 5)], ["s", "l"], mask=pa.array(rng.random(q) < 0.05)), {}),
        "struct packed with strings": (pa.StructArray.from_arrays([pa.array(any64[:q]), words(q)], ["a", "b"]), {"lance-encoding:packed": "true"}),
        "vector of 8 float32, NULLs": (embeddings(rng, q, 8, "f4", 0.1), {}),
        "vector of 8 int32, NULL items": (pa.FixedSizeListArray.from_arrays(pa.array(small[:q // 8 * 8].astype("i4"), mask=tenth(q // 8 * 8)), 8), {}),
        "vector of 4 bool": (pa.FixedSizeListArray.from_arrays(pa.array(rng.random(q * 4) < 0.5), 4), {}),
        "matrix of 4 by 4 float32": (pa.FixedSizeListArray.from_arrays(embeddings(rng, q * 4, 4, "f4", 0), 4), {}),
    }


def long_cases(rng, n):
    """Columns whose decompressed pages no cache of either side holds: n rows, 50 and more million bytes."""
    comp = lambda c: {"lance-encoding:compression": c}
    return {
        "captions, zstd, long": (pa.array(texts(rng, n, 12)), comp("zstd")),
        "captions, long": (pa.array(texts(rng, n, 12)), {}),
        "int64 zstd, long": (pa.array(rng.integers(0, 1000, n * 4)), comp("zstd")),
        "int64 bitpacked, long": (pa.array(rng.integers(0, 1000, n * 4)), {}),
        "list of int32, NULLs, long": (lists(lambda k: pa.array(rng.integers(0, 1000, k).astype("i4"), mask=nulls(rng, k, 0.1)), rng, n, 8, 0.1), {}),
    }


def write(target, array, meta, version):
    """A table of two fragments; False if this storage version cannot hold the column."""
    shutil.rmtree(target, ignore_errors=True)
    try:
        lance.write_dataset(pa.table([array], schema=pa.schema([pa.field("c", array.type, metadata=meta or None)])), str(target), data_storage_version=version,
                            max_rows_per_file=(len(array) + 1) // 2)
        return True
    except BaseException as e:  # Rust panics are no Exceptions
        print(f"storage {version} cannot hold {target.stem}: {str(e)[:100]}")
        shutil.rmtree(target, ignore_errors=True)
        if isinstance(e, KeyboardInterrupt):
            raise
        return False


def tables_of(path, version, listing, build):
    """name -> table below path, for all of listing's names that this version can hold; those not there yet are made from build()."""
    listed = path / "tables.json"
    path.mkdir(parents=True, exist_ok=True)
    have = json.loads(listed.read_text()) if listed.exists() else {}
    if missing := [name for name in listing if name not in have]:
        made = build()
        for name in missing:
            target = path / ("".join(x for x in name.replace(" ", "_") if x not in ",.") + ".lance")
            have[name] = target.name if write(target, *made[name], version) else None
        listed.write_text(json.dumps(have, indent=1))
    return {name: path / have[name] for name in listing if have[name]}


# --- the two sides ------------------------------------------------------------------------------

class Ours:
    def __init__(self):
        binary = OUT / "inproc"
        subprocess.run(["go", "build", "-o", binary, "./bench/inproc"], cwd=ROOT, check=True)
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, op, table, columns, **more):
        self.process.stdin.write(json.dumps({"op": op, "table": str(table), "columns": columns, **more}) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        if reply.get("error"):
            raise RuntimeError(reply["error"])
        return reply

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)


def touch(array):
    total = 0
    for b in array.buffers():
        if b is not None and b.size >= 8:
            total += int(np.frombuffer(b, dtype="u8", count=b.size // 8).sum())
    return total


class Theirs:
    def __init__(self):
        self.open_tables = {}

    def dataset(self, table, fresh=False):
        if fresh:
            return lance.dataset(str(table))
        if table not in self.open_tables:
            self.open_tables[table] = lance.dataset(str(table))
        return self.open_tables[table]

    def ask(self, op, table, columns, rows=None, fresh=False, touch_values=False, filter=None):
        start, cpu = time.perf_counter(), time.process_time()
        n = 0
        ds = self.dataset(table, fresh or op == "open")
        blob = any("blob" in str(f.type) + str(f.metadata) for f in ds.schema if f.name in columns)
        if op == "scan":
            for b in ds.scanner(columns=columns, blob_handling="all_binary" if blob else None).to_batches():
                n += b.num_rows
                if touch_values:
                    for c in b.columns:
                        touch(c)
        elif op == "take" and blob:
            n = len(ds.read_blobs(columns[0], indices=rows))
        elif op == "take":
            n = ds.take(rows, columns=columns).num_rows
        elif op == "sql":
            n = ds.to_table(columns=columns, filter=filter).num_rows if columns else ds.count_rows(filter)
        return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "rows": n}


def race(ours, theirs, rounds, op, table, columns, rows=None, fresh=False, touch_values=False, filter=None):
    """Medians in milliseconds of both sides, run in turn, and the ratio."""
    more = {"rows": rows} if rows is not None else {}

    if op == "sql":
        select = "SELECT " + (", ".join(columns) or "count(*)")
        query = f"{select} FROM {Path(table).stem} WHERE {filter}"

        def one():
            return ours.ask(op, table, columns, query=query), theirs.ask(op, table, columns, filter=filter)
    else:
        def one():
            return ours.ask(op, table, columns, fresh=fresh, touch=touch_values, **more), theirs.ask(op, table, columns, fresh=fresh, touch_values=touch_values, **more)
    a, b = one()  # warms both
    if op != "open" and columns and a["rows"] != b["rows"]:
        raise RuntimeError(f"{a['rows']} rows instead of {b['rows']}")
    mine, yours, cpu = [], [], [[], []]
    begun = time.perf_counter()
    while len(mine) < rounds or (len(mine) < 5 * rounds and time.perf_counter() - begun < 0.1):  # short ones oftener
        a, b = one()
        mine.append(a["seconds"] * 1e3)
        yours.append(b["seconds"] * 1e3)
        cpu[0].append(a["cpu"] * 1e3)
        cpu[1].append(b["cpu"] * 1e3)
    ms, ref = statistics.median(mine), statistics.median(yours)
    # Means: the kernel counts processor time in steps that short runs fall between.
    cpu = [statistics.mean(c) for c in cpu]
    return {"ours_ms": ms, "pylance_ms": ref, "ratio": ref / ms, "ours_cpu_ms": cpu[0], "pylance_cpu_ms": cpu[1], "cpu_ratio": cpu[1] / max(cpu[0], 1e-3), "bytes": a.get("bytes", 0), "rounds": len(mine)}


def line(name, r):
    speed = f"{r['bytes'] / r['ours_ms'] / 1e6:8.2f}" if r["bytes"] else " " * 8
    print(f"{name:<44}{r['ours_ms']:10.3f}{r['pylance_ms']:10.3f}{r['ratio']:8.2f}x{r['cpu_ratio']:8.2f}x{speed}", flush=True)


# --- runs ---------------------------------------------------------------------------------------

def encodings(ours, theirs, args, result):
    groups = [(DATA / f"inproc-{args.rows}-{args.wide}", [], functools.cache(lambda: cases(np.random.default_rng(11), args.rows, args.wide))),
              (DATA / f"inproc-long-{args.long}", [], functools.cache(lambda: long_cases(np.random.default_rng(12), args.long)))]
    for (_, names, _), few in zip(groups, [cases(np.random.default_rng(11), 1000, 100), long_cases(np.random.default_rng(12), 1000)]):
        names.extend(name for name in few if not args.only or any(o in name for o in args.only.split(",")))
    for version in args.storage.split(","):
        tables = {}
        for folder, names, make in groups:
            tables.update(tables_of(folder / version, version, names, make))
        print(f"\nstorage {version}: scan of a column, take of 100 random rows; ms; ratio over 1: we are faster; GB/s of Arrow memory")
        print(f"{'':<44}{'lancefmt':>10}{'pylance':>10}{'ratio':>9}{'of CPU':>9}{'GB/s':>8}")
        for name, table in tables.items():
            total = theirs.dataset(table).count_rows()
            picks = sorted(int(x) for x in np.random.default_rng(7).choice(total, 100, replace=False))
            for op in args.ops.split(","):
                key = f"{version} {name} {op}"
                try:
                    r = race(ours, theirs, args.rounds, op, table, ["c"], rows=picks if op == "take" else None)
                except BaseException as e:  # Rust panics are no Exceptions
                    if isinstance(e, (KeyboardInterrupt, SystemExit)):
                        raise
                    print(f"{name + ', ' + op:<44}{str(e)[:120]}")
                    result["failed"][key] = str(e)
                    continue
                result["encodings"][key] = r
                line(f"{name}, {op}", r)


def laion_table(args):
    table = args.table or DATA / f"laion-{args.laion_rows}" / "train.lance"
    if not table.exists():
        subprocess.run([sys.executable, ROOT / "internal" / "sample" / "make_laion.py", "--rows", str(args.laion_rows), "--out", table,
                        "--image-size", "160", "--fragments", "4", "--btree", "--fts"], check=True)
    return table


def laion(ours, theirs, args, result):
    table = laion_table(args)
    total = theirs.dataset(table).count_rows()
    picks = [int(x) for x in np.random.default_rng(3).choice(total, 100, replace=False)]
    print(f"\n{table}: {total:,} rows")
    print(f"{'':<44}{'lancefmt':>10}{'pylance':>10}{'ratio':>9}{'of CPU':>9}{'GB/s':>8}")
    plan = {
        "scan img_emb": dict(op="scan", columns=["img_emb"]),
        "scan img_emb, summing every word": dict(op="scan", columns=["img_emb"], touch_values=True),
        "take 100 random images": dict(op="take", columns=["image"], rows=picks),
        "take 100 random rows of 4 narrow columns": dict(op="take", columns=["key", "caption", "similarity", "width"], rows=picks),
        "take 100 random images, table opened anew": dict(op="take", columns=["image"], rows=picks, fresh=True),
        "open": dict(op="open", columns=[]),
    }
    if not args.profile:
        plan["scan of all columns but image"] = dict(op="scan", columns=[c for c in theirs.dataset(table).schema.names if c not in ("image", "img_emb")])
    for name, more in plan.items():
        if args.only and not any(o in name for o in args.only.split(",")):
            continue
        r = race(ours, theirs, max(args.rounds, 5), table=table, **more)
        result["laion"][name] = r
        line(name, r)


def filters(ours, theirs, args, result):
    """Filters that the table's scalar indices answer: SQL text in, Arrow batches out, against a filter of pylance."""
    table = laion_table(args)
    ds = theirs.dataset(table)
    kinds = {i["fields"][0]: i["type"] for i in ds.list_indices()}
    total = ds.count_rows()
    low, high = total // 4, total // 4 + 200
    keys = ", ".join(str(k) for k in sorted(ds.take([int(x) for x in np.random.default_rng(5).choice(total, 100, replace=False)], columns=["key"]).column(0).to_pylist()))
    print(f"\n{table}: filters by index ({', '.join(f'{k} {v}' for k, v in kinds.items())})")
    print(f"{'':<44}{'SQL':>10}{'pylance':>10}{'ratio':>9}{'of CPU':>9}{'GB/s':>8}")
    for name, more in {
        "100 images by key": dict(columns=["image"], filter=f"key IN ({keys})"),
        "100 keys and captions by key": dict(columns=["key", "caption"], filter=f"key IN ({keys})"),
        "one row by key": dict(columns=["key", "caption", "width"], filter=f"key = {low}"),
        "200 neighbouring images": dict(columns=["image"], filter=f"key >= {low} AND key < {high}"),
        "count of a range": dict(columns=[], filter=f"key < {total // 100}"),
    }.items():
        if args.only and not any(o in name for o in args.only.split(",")):
            continue
        r = race(ours, theirs, max(args.rounds, 5), op="sql", table=table, **more)
        result["filters"][name] = r
        line(name, r)


def fragments(ours, theirs, args, result):
    """Opening a table of 1,000 fragments, and the first rows of it."""
    table = DATA / "fragments-1000.lance"
    if not table.exists():
        n = 1000
        columns = {"a": pa.array(range(n * 10)), "b": pa.array(np.random.default_rng(1).standard_normal(n * 10)), "c": pa.array([str(i) for i in range(n * 10)])}
        lance.write_dataset(pa.table(columns), str(table), max_rows_per_file=10, max_rows_per_group=10)
    print(f"\n{table}: {len(theirs.dataset(table).get_fragments()):,} fragments")
    picks = [int(x) for x in np.random.default_rng(3).choice(10_000, 100, replace=False)]
    for name, more in {
        "open": dict(op="open", columns=[]),
        "open, take 100 rows": dict(op="take", columns=["a", "c"], rows=picks, fresh=True),
        "take 100 rows": dict(op="take", columns=["a", "c"], rows=picks),
        "scan": dict(op="scan", columns=["a", "b"]),
        "open, scan": dict(op="scan", columns=["a", "b"], fresh=True),
    }.items():
        if args.only and not any(o in name for o in args.only.split(",")):
            continue
        r = race(ours, theirs, max(args.rounds, 5), table=table, **more)
        result["fragments"][name] = r
        line("1,000 fragments: " + name, r)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, default=200_000, help="of narrow columns")
    p.add_argument("--wide", type=int, default=5_000, help="rows of embeddings, images, long texts")
    p.add_argument("--long", type=int, default=1_000_000, help="rows of columns that no cache holds")
    p.add_argument("--laion-rows", type=int, default=100_000)
    p.add_argument("--table", type=Path, help="an existing LAION-shaped table")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--storage", default="0.1,2.0,2.1,2.2,2.3")
    p.add_argument("--ops", default="scan,take")
    p.add_argument("--only", default="", help="comma-separated parts of names")
    p.add_argument("--parts", default="encodings,laion,filters,fragments")
    p.add_argument("--profile", default="", help="name of one encoding: profiles lancefmt's scan and take of it instead")
    args = p.parse_args()
    OUT.mkdir(exist_ok=True)
    DATA.mkdir(exist_ok=True)
    ours, theirs = Ours(), Theirs()
    result = {"machine": {"cpus": os.cpu_count(), "platform": platform.platform()}, "pylance": lance.__version__, "rows": args.rows,
              "encodings": {}, "laion": {}, "filters": {}, "fragments": {}, "failed": {}}
    try:
        if args.profile:
            for version in args.storage.split(","):
                path = DATA / (f"inproc-long-{args.long}" if args.profile.endswith(", long") else f"inproc-{args.rows}-{args.wide}") / version
                table = path / json.loads((path / "tables.json").read_text())[args.profile]
                picks = sorted(int(x) for x in np.random.default_rng(7).choice(theirs.dataset(table).count_rows(), 100, replace=False))
                for op in args.ops.split(","):
                    target = OUT / f"{table.stem}-{version}-{op}.prof"
                    once = ours.ask(op, table, ["c"], rows=picks)["seconds"]
                    r = ours.ask(op, table, ["c"], rows=picks, profile=str(target), repeat=max(10, int(2 / once)))
                    print(f"{target}: {r['seconds'] * 1e3:.3f} ms the last time")
            return
        for part in args.parts.split(","):
            {"encodings": encodings, "laion": laion, "filters": filters, "fragments": fragments}[part](ours, theirs, args, result)
    finally:
        ours.stop()
    every = {**result["encodings"], **{"laion " + k: v for k, v in result["laion"].items()}, **{"filters " + k: v for k, v in result["filters"].items()}, **{"fragments " + k: v for k, v in result["fragments"].items()}}
    slow = sorted((v["ratio"], v["cpu_ratio"], k) for k, v in every.items() if v["ratio"] < 1)
    if every:
        print(f"\n{len(every)} measured, median ratio {statistics.median(v['ratio'] for v in every.values()):.2f}, {len(slow)} slower than pylance")
    for ratio, cpu, k in slow:
        print(f"  {ratio:5.2f}x ({cpu:.2f}x of processor time) {k}")
    if result["failed"]:
        print(f"{len(result['failed'])} not measured: " + "; ".join(result["failed"]))
    if not args.only:
        target = OUT / "inproc.json"
        target.write_text(json.dumps(result, indent=1))
        print("wrote", target)


if __name__ == "__main__":
    main()
