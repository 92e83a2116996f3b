#!/usr/bin/env python3
"""Writes the table of types and storage versions in docs/BENCHMARKS_NOTEBOOK.md from what bench/inproc.py measured.

    .venv/bin/python bench/table.py                           # bench/out/inproc.json
    .venv/bin/python bench/table.py a.json b.json             # several runs, of some storage versions each: medians of their ratios
"""

import json
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ["0.1", "2.0", "2.1", "2.2", "2.3"]

# What bounds a scan, by the first part of a name that fits; of 2.1 and later where versions differ. From profiles
# (bench/inproc.py --profile NAME).
BOUNDS = [
    ("JSON", "writing text from its binary form (2.0 and 0.1 too); UTF-8 and numbers"),
    ("float64 byte stream split", "Zstandard, then putting bytes together"),
    ("float32 byte stream split", "LZ4, then putting bytes together"),
    ("zstd", "Zstandard: building the tables of small frames; in 2.0 decoding whole pages"),
    ("lz4", "LZ4"),
    ("embedding 768 float32, NULL items", "copy of values and of validity"),
    ("embedding 768 uint8", "unpacking"),
    ("embedding 768 float32, NULLs", "memory bandwidth: one strided copy"),
    ("list of embeddings", "memory bandwidth, repetition levels"),
    ("list of images", "memory bandwidth: one copy"),
    ("embedding", "nothing: the mapping is the Arrow buffer"),
    ("binary 2 to 12", "memory bandwidth: one copy"),
    ("binary 100 KiB", "memory bandwidth: one copy"),
    ("large binary", "memory bandwidth: one copy"),
    ("struct of image", "memory bandwidth: one copy; FSST"),
    ("blob", "memory bandwidth: one copy; a read for each blob"),
    ("constant", "memory bandwidth: filling"),
    ("all NULL", "filling a bitmap"),
    ("null", "nothing: no bytes"),
    ("runs", "expanding runs, memory bandwidth"),
    ("dictionary type", "translating codes"),
    ("dictionary page", "copies of single values"),
    ("few values", "looking values up"),
    ("list of 100", "copy, repetition levels"),
    ("map", "repetition levels, copies of short strings"),
    ("struct of struct and list", "levels, copies of short strings"),
    ("list", "repetition levels"),
    ("struct packed with strings", "copies of single values"),
    ("struct packed", "taking rows apart"),
    ("struct", "unpacking, levels"),
    ("bool", "copy of bits"),
    ("full-zip, NULLs", "rows of several lengths, one by one"),
    ("string captions, full-zip", "rows of several lengths, one by one"),
    ("uint32 full-zip", "rows with a level each"),
    ("plain", "memory bandwidth: one copy, offsets"),
    ("string many empty", "offsets"),
    ("string short FSST", "FSST"),
    ("string short", "memory bandwidth: one copy, offsets"),
    ("binary short", "memory bandwidth: one copy, offsets"),
    ("string", "FSST: 1.7 GB/s and core"),
    ("captions", "FSST: 1.7 GB/s and core"),
    ("vector of 8 int32", "copy of values and of validity"),
    ("vector of 4 bool", "copy of bits"),
    ("fixed-size binary", "memory bandwidth: one copy"),
    ("decimal", "looking values up, unpacking"),
    ("NULLs", "definition levels, unpacking"),
    ("", "unpacking, memory bandwidth"),
]


def cell(scan, take):
    if scan is None and take is None:
        return "–"
    first = f"{scan['ratio']:.1f} ({scan['cpu_ratio']:.1f})" if scan else "–"
    return f"{first}, {take['ratio']:.1f}" if take else f"{first}, –"


def table(encodings):
    names = list(dict.fromkeys(key.split(" ", 1)[1].rsplit(" ", 1)[0] for key in encodings))
    yield "| column | " + " | ".join(VERSIONS) + " | a scan is bound by |"
    yield "| --- |" + " --: |" * len(VERSIONS) + " --- |"
    for name in names:
        cells = [cell(encodings.get(f"{v} {name} scan"), encodings.get(f"{v} {name} take")) for v in VERSIONS]
        yield f"| {name} | " + " | ".join(cells) + f" | {next(text for part, text in BOUNDS if part in name)} |"


def summary(encodings):
    yield "| storage version | scans, takes | median of scans | of takes | slower in wall time | in processor time |"
    yield "| --- | --: | --: | --: | --- | --- |"
    for v in VERSIONS:
        mine = {k.split(" ", 1)[1]: r for k, r in encodings.items() if k.startswith(v + " ")}
        if not mine:
            continue
        scans, takes = ([r["ratio"] for k, r in mine.items() if k.endswith(op)] for op in ("scan", "take"))
        wall, cpu = ([f"{k} {r[by]:.2f}" for k, r in sorted(mine.items(), key=lambda x: x[1][by]) if r[by] < 1] for by in ("ratio", "cpu_ratio"))
        yield f"| {v} | {len(scans)}, {len(takes)} | {statistics.median(scans):.1f} | {statistics.median(takes):.1f} | {'; '.join(wall) or 'none'} | {'; '.join(cpu) or 'none'} |"


def main():
    runs = {}
    for name in sys.argv[1:] or [ROOT / "bench" / "out" / "inproc.json"]:
        for key, r in json.loads(Path(name).read_text())["encodings"].items():
            runs.setdefault(key, []).append(r)
    encodings = {key: {by: statistics.median(r[by] for r in rs) for by in ("ratio", "cpu_ratio")} for key, rs in runs.items()}
    page = ROOT / "docs" / "BENCHMARKS_NOTEBOOK.md"
    text = page.read_text()
    head, rest = text.split("<!-- bench/table.py writes from here -->\n", 1)
    tail = rest.split("<!-- to here: table -->", 1)[1]
    lines = [*summary(encodings), "", *table(encodings), ""]
    page.write_text(head + "<!-- bench/table.py writes from here -->\n\n" + "\n".join(lines) + "\n<!-- to here: table -->" + tail)
    print("wrote", page)


if __name__ == "__main__":
    main()
