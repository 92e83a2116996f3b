"""Writes the tables of index_test.go: every kind of scalar index, in two segments, with rows deleted and updated since
and a fragment that no index covers. `stable.lance` has stable row ids, `plain.lance` has not.

    python make.py        (pylance 14.0.2)
"""

import datetime as dt
import decimal
import math
import random
import shutil

import lance
import pyarrow as pa

WORDS = ["cat", "dog", "red", "blue", "sky", "Katze", "кошка", "photo of", "a", "", "zebra", "50%", "under_score"]
NAN, INF = math.nan, math.inf


def rows(rng, start, n):
    def maybe(v):
        return None if rng.random() < 0.08 else v

    def column(f):
        return [maybe(f(i)) for i in range(start, start + n)]

    def many(pick):
        return [maybe([maybe(pick()) for _ in range(rng.randrange(4))]) for _ in range(n)]

    def dec():
        return decimal.Decimal(rng.randrange(-2000, 2000)).scaleb(-2)

    f = [NAN, INF, -INF, 0.0, -0.0, 0.1, 1.5, 16777216.0, 1e-3]
    day = dt.date(1969, 12, 1)
    second = dt.datetime(1969, 12, 31)
    s = [("s" + str(rng.randrange(40))) if rng.random() < 0.9 else rng.choice(["", "ä%_", "s", "s1\\", "S1"]) for _ in range(n)]
    cols = {
        "key": pa.array(range(start, start + n), pa.int64()),
        "i8": pa.array(column(lambda i: rng.choice([-128, 127, 0, 1, 2, rng.randrange(-128, 128)])), pa.int8()),
        "u64": pa.array(column(lambda i: rng.choice([0, 1, 2**53, 2**53 + 1, 2**63, 2**64 - 1, rng.randrange(50)])), pa.uint64()),
        "f32": pa.array(column(lambda i: rng.choice(f + [rng.randrange(-30, 30) / 8])), pa.float32()),
        "f64": pa.array(column(lambda i: rng.choice(f + [rng.randrange(-30, 30) / 10])), pa.float64()),
        "dec": pa.array(column(lambda i: dec()), pa.decimal128(10, 2)),
        "s": pa.array(s, pa.string()),
        "ls": pa.array(column(lambda i: rng.choice(WORDS)), pa.large_string()),
        "flag": pa.array(column(lambda i: rng.random() < 0.3), pa.bool_()),
        "d": pa.array(column(lambda i: day + dt.timedelta(days=rng.randrange(60))), pa.date32()),
        "ts": pa.array(column(lambda i: second + dt.timedelta(microseconds=rng.randrange(4) * 43_200_000_000 + rng.randrange(3))), pa.timestamp("us")),
        "ts_s": pa.array(column(lambda i: second + dt.timedelta(seconds=rng.randrange(100_000))), pa.timestamp("s")),
        "tags": pa.array(many(lambda: rng.choice(WORDS)), pa.list_(pa.string())),
        "nums": pa.array(many(lambda: rng.randrange(6)), pa.list_(pa.int32())),
        "place": pa.array([maybe({"zip": maybe(rng.randrange(100)), "city": maybe(rng.choice(WORDS))}) for _ in range(n)],
                          pa.struct([("zip", pa.int32()), ("city", pa.string())])),
        "txt": pa.array(column(lambda i: " ".join(rng.choice(WORDS) for _ in range(rng.randrange(8)))), pa.string()),
        "z": pa.array(column(lambda i: i + rng.randrange(5)), pa.int32()),
        "fz": pa.array(column(lambda i: rng.choice([NAN, i / 7])), pa.float64()),
        "bl": pa.array(column(lambda i: "b" + str(i)), pa.string()),
        "w": pa.array(column(lambda i: rng.randrange(20)), pa.int32()),
        "note": pa.array(column(lambda i: rng.choice(WORDS)), pa.string()),
    }
    return pa.table(cols)


INDICES = [(c, "BTREE") for c in ["key", "i8", "u64", "f32", "f64", "dec", "s", "d", "ts", "ts_s", "place.zip"]] + [
    ("ls", "BITMAP"), ("flag", "BITMAP"), ("tags", "LABEL_LIST"), ("nums", "LABEL_LIST"), ("txt", "NGRAM"), ("z", "ZONEMAP"), ("fz", "ZONEMAP"), ("bl", "BLOOMFILTER"),
]


def make(path, stable):
    rng = random.Random(7)
    shutil.rmtree(path, ignore_errors=True)
    ds = lance.write_dataset(rows(rng, 0, 150), path, enable_stable_row_ids=stable)
    ds.insert(rows(rng, 150, 120))
    for column, kind in INDICES:
        try:
            ds.create_scalar_index(column, kind)
        except Exception as e:
            print(path, column, kind, e)
    ds.delete("key % 23 = 5")
    ds.insert(rows(rng, 270, 80))
    # pylance cannot add to an index of a nested column.
    names = [i["name"] for i in ds.list_indices() if "zip" not in i["name"]]
    ds.optimize.optimize_indices(num_indices_to_merge=0, index_names=names)
    ds.update({"w": "w + 100", "i8": "7", "s": "'s1'"}, where="key % 19 = 3")
    ds.delete("key % 29 = 8")
    ds.insert(rows(rng, 350, 40))
    ds = lance.dataset(path)
    print(path, ds.count_rows(), [f.fragment_id for f in ds.get_fragments()])
    for i in ds.list_indices():
        print("  ", i["name"], i["type"], sorted(i["fragment_ids"]))
    ds.cleanup_old_versions(dt.timedelta(0))


make("plain.lance", False)
make("stable.lance", True)
