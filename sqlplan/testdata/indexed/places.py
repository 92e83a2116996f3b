"""Tables whose files lie elsewhere or change under their indices, and filters over them, for TestPlacesAgainstPylance.

    python places.py DIR SEED COUNT

Writes tables below DIR and cases.json: [{"from": what stands behind FROM, "where": …, "keys": those that DuckDB finds,
or instead of the last two
"near": {"query": a vector, "keys": of the ten rows nearest to it, by pylance without an index}}]. The tables:

    moved       was written elsewhere and moved with its branch "dev/x", which has rows, deletions and updates of its own
    clone       a shallow clone of a table with indices, changed since
    overlaid    overlays over indexed columns, before and after the indices were made
    zones       no index: numbers that rise, so that what scans learn leaves zones out; NaN, -0.0, NULLs, a dictionary, deletions
"""

import json
import os
import random
import re
import shutil
import sys
from pathlib import Path

os.environ["LANCE_ENABLE_UNSTABLE_DATA_OVERLAY_FILES"] = "1"

import duckdb
import lance
import pyarrow as pa
from lance.file import LanceFileWriter
from lance.fragment import DataFile
from random_filters import condition, index, rows


def change(ds, rng, start):
    """The version after an update, a deletion and an append, of a table or of a branch."""
    ds.update({"w": "w + 100", "i8": "7", "s": "'s1'", "txt": "'a photo of a zebra'", "z": "-5"}, where=f"key % {rng.choice([7, 11])} = 3")
    ds.delete(f"key % {rng.choice([5, 13])} = 2")
    return lance.write_dataset(rows(rng, start, 30), ds, mode="append")


def at(source, ds):
    """What a case needs of a version."""
    data = ds.to_table()
    query = next(v for v in data["vec"].to_pylist() if v is not None)
    near = ds.to_table(columns=["key"], nearest={"column": "vec", "q": query, "k": 10, "use_index": False}, disable_scoring_autoprojection=True)
    return source, data, {"query": query, "keys": near["key"].to_pylist()}


def moved(folder, rng):
    before = folder / "before"
    ds = lance.write_dataset(rows(rng, 0, 150), str(before / "moved.lance"), max_rows_per_file=60, enable_stable_row_ids=rng.random() < 0.5)
    index(ds)
    branch = ds.create_branch("dev/x")
    branch = change(branch, rng, 500)
    ds = change(ds, rng, 700)
    out = [at("moved", ds), at("moved FOR VERSION AS OF 'dev/x'", branch)]  # pylance cannot read the branch of a moved table
    shutil.move(str(before / "moved.lance"), str(folder / "moved.lance"))
    before.rmdir()
    return out


def clone(folder, rng):
    base = lance.write_dataset(rows(rng, 0, 150), str(folder / "base" / "origin.lance"), max_rows_per_file=60, enable_stable_row_ids=rng.random() < 0.5)
    index(base)
    base.tags.create("here", base.version)
    ds = base.shallow_clone(str(folder / "clone.lance"), "here")
    base.delete("key < 40")  # what happens to the origin later is not the clone's
    as_cloned = ds.version
    first = ds
    ds = change(ds, rng, 500)
    twice = ds.shallow_clone(str(folder / "again.lance"), ds.version)
    return [at("clone", ds), at(f"clone FOR VERSION AS OF {as_cloned}", first.checkout_version(as_cloned)), at("again", twice)]


def overlay(ds, rng, columns, version="2.1"):
    groups = []
    for fragment in ds.get_fragments():
        count = rng.randrange(1, fragment.physical_rows)
        offsets = sorted(rng.sample(range(fragment.physical_rows), count))
        new = rows(rng, 0, count).select([f.name for f in ds.schema if f.name in columns])
        new = new.cast(pa.schema([f for f in ds.schema if f.name in columns]))
        name = f"overlay{ds.version}_{fragment.fragment_id}.lance"
        path = os.path.join(ds.uri.removeprefix("file://"), "data", name)
        with LanceFileWriter(path, new.schema, version=version) as w:
            w.write_batch(new)
        ids = [(f.children() or [f])[0].id() for f in ds.lance_schema.fields() if f.name() in columns]  # lists have their items' column
        file = DataFile(name, ids, list(range(len(ids))), 2, int(version[-1]), os.path.getsize(path))
        groups.append(lance.LanceOperation.DataOverlayGroup(fragment.fragment_id, [lance.LanceOperation.DataOverlayFile(file, offsets)]))
        if rng.random() < 0.3:
            break  # other fragments keep theirs
    return lance.LanceDataset.commit(ds, lance.LanceOperation.DataOverlay(groups), read_version=ds.version)


def overlaid(folder, rng):
    ds = lance.write_dataset(rows(rng, 0, 150), str(folder / "overlaid.lance"), max_rows_per_file=60, data_storage_version="2.1", enable_stable_row_ids=rng.random() < 0.5)
    out = []
    ds = overlay(ds, rng, ["i8", "s", "flag"])
    index(ds)
    out.append(at(f"overlaid FOR VERSION AS OF {ds.version}", ds))
    ds = overlay(ds, rng, ["i64", "s", "z"])
    out.append(at(f"overlaid FOR VERSION AS OF {ds.version}", ds))
    ds = overlay(ds, rng, ["f64", "fz", "txt", "bl", "tags", "d"])
    out.append(at(f"overlaid FOR VERSION AS OF {ds.version}", ds))
    ds.delete("key % 13 = 2")
    ds.insert(rows(rng, 300, 30))
    return out + [at("overlaid", ds)]


def zones(folder, rng):
    def part(start, n):
        t = rows(rng, start, n)
        up = [None if rng.random() < 0.05 else float("nan") if rng.random() < 0.03 else -0.0 if i == start else i / 10 - 40 for i in range(start, start + n)]
        t = t.set_column(t.schema.get_field_index("f64"), "f64", pa.array(up, pa.float64()))
        return t.set_column(t.schema.get_field_index("w"), "w", pa.array([None if start == 600 else i // 50 for i in range(start, start + n)], pa.int32()))

    ds = lance.write_dataset(part(0, 900), str(folder / "zones.lance"), max_rows_per_file=100)
    out = [at("zones FOR VERSION AS OF 1", ds.checkout_version(1))]
    ds.delete("key % 100 < 5 OR key BETWEEN 300 AND 390")
    out.append(at("zones FOR VERSION AS OF 2", ds.checkout_version(2)))
    ds.update({"f64": "-f64", "w": "w - 10", "s": "'s39'"}, where="key % 9 = 1")
    ds.insert(part(900, 50))
    out.append(at(f"zones FOR VERSION AS OF {ds.version}", ds.checkout_version(ds.version)))
    ds.optimize.compact_files(target_rows_per_fragment=300)
    return out + [at("zones", ds)]


def main():
    folder, seed, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    cases = []
    for make in [moved, clone, overlaid, zones]:
        rng = random.Random(f"{seed} {make.__name__}")
        for source, data, near in make(folder, rng):
            con = duckdb.connect()
            con.execute("SET TimeZone = 'UTC'")
            con.execute("CREATE TABLE t AS SELECT * FROM data")
            n = 0
            while n < count:
                where = condition(rng, rng.choice([0, 0, 1, 2]))
                try:
                    keys = [k for k, in con.execute(f"SELECT key FROM t WHERE {where} ORDER BY key").fetchall()]
                except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.BinderException):
                    continue  # a constant that DuckDB casts to the column's type, which cannot hold it
                where = re.sub(r"from_hex\('(\w*)'\)", r"'\\x\1'::bytea", where)
                cases.append({"from": source, "where": where, "keys": keys})
                n += 1
            cases.append({"from": source, "near": near})
    (folder / "cases.json").write_text(json.dumps(cases))
    print(len(cases), "cases")


main()
