"""Writes tables with indices and a history of changes, with the pylance that runs it: write.py FOLDER.

FOLDER/{group}_{history}[_stable].lance is a table of 90 rows in three fragments. Its group says which columns and indices it
has, its history what was done before and after the indices were built. What a release cannot do is left out: FOLDER/skipped.txt
tells why.
"""

import os
import shutil
import sys
import traceback

import lance
import numpy as np
import pyarrow as pa

ROWS, PER_FILE = 90, 30
LABELS = pa.list_(pa.string())
VECTOR = pa.list_(pa.float32(), 4)


def vector(i, shift=0.0):
    """A point near the i-th of 90 places on a line that bends, so that neighbours are known and no distances tie."""
    return [i + shift, (i * 7 % 11) / 100 + shift, i * i / 1000, shift]


def zones(ids):
    return {
        "zs": pa.array(["A" if i < 45 else "B" for i in ids]),
        "zi": pa.array([None if i % 10 == 3 else i for i in ids], pa.int64()),
        "bf": pa.array(["A" if i < 45 else "B" for i in ids]),
    }


def postings(ids):
    return {
        "bm": pa.array([None if i % 10 == 3 else "A" if i < 45 else "B" for i in ids]),
        "bi": pa.array([None if i % 10 == 3 else i for i in ids], pa.int64()),
        "bs": pa.array(["A" if i < 45 else "B" for i in ids]),
    }


def lists(ids):
    return {
        "ll": pa.array([None if i % 10 == 3 else [] if i % 10 == 4 else ["l%d" % (i % 5), "all"] for i in ids], LABELS),
        "ng": pa.array([None if i % 10 == 3 else "apple %d" % i if i < 45 else "banana %d" % i for i in ids]),
    }


def vectors(ids):
    return {
        "vf": pa.array([vector(i) for i in ids], VECTOR),
        "vp": pa.array([None if i % 10 == 3 else vector(i) for i in ids], VECTOR),
    }


VALUES = {"zones": zones, "postings": postings, "lists": lists, "vectors": vectors}
INDICES = {
    "zones": [("zs", "ZONEMAP"), ("zi", "ZONEMAP"), ("bf", "BLOOMFILTER")],
    "postings": [("bm", "BITMAP"), ("bi", "BTREE"), ("bs", "BTREE")],
    "lists": [("ll", "LABEL_LIST"), ("ng", "NGRAM")],
    "vectors": [("vf", "IVF_FLAT"), ("vp", "IVF_PQ")],
}
# What an update sets the indexed columns to, as SQL, and the same as the values of one row.
CHANGED = {
    "zones": {"zs": "'Z'", "zi": "1000", "bf": "'Z'"},
    "postings": {"bm": "'Z'", "bi": "1000", "bs": "'Z'"},
    "lists": {"ll": "make_array('zz')", "ng": "'cherry'"},
    "vectors": {"vf": "[500.0, 0.0, 0.0, 0.0]", "vp": "[500.0, 0.0, 0.0, 0.0]"},
}
CHANGED_ROWS = {
    "zones": {"zs": "Z", "zi": 1000, "bf": "Z"},
    "postings": {"bm": "Z", "bi": 1000, "bs": "Z"},
    "lists": {"ll": ["zz"], "ng": "cherry"},
    "vectors": {"vf": [500.0, 0.0, 0.0, 0.0], "vp": [500.0, 0.0, 0.0, 0.0]},
}


class History:
    """A table and what can be done to it."""

    def __init__(self, uri, group, stable):
        self.uri, self.group, self.stable = uri, group, stable

    def table(self, ids):
        ids = list(ids)
        return pa.table({"id": pa.array(ids, pa.int32()), "val": pa.array(ids, pa.int64()), **VALUES[self.group](ids)})

    def changed(self, ids):
        ids = list(ids)
        types = self.table([0]).schema
        row = CHANGED_ROWS[self.group]
        return pa.table({"id": pa.array(ids, pa.int32()), **{c: pa.array([v] * len(ids), types.field(c).type) for c, v in row.items()}})

    def ds(self):
        return lance.dataset(self.uri)

    def write(self, ids=range(ROWS), mode="create"):
        lance.write_dataset(self.table(ids), self.uri, mode=mode, max_rows_per_file=PER_FILE, enable_stable_row_ids=self.stable)

    def build(self):
        for column, kind in INDICES[self.group]:
            if kind.startswith("IVF"):
                more = {"num_sub_vectors": 2, "num_bits": 4} if kind == "IVF_PQ" else {}
                self.ds().create_index(column, kind, num_partitions=2, metric="l2", replace=True, **more)
            else:
                self.ds().create_scalar_index(column, kind, replace=True)

    def delete(self, where):
        self.ds().delete(where)

    def update_other(self, where):
        self.ds().update({"val": "val + 1000"}, where=where)

    def update_key(self, where):
        change = dict(CHANGED[self.group])
        if self.group == "vectors":
            self.merge_full([i for i in self.ds().to_table(columns=["id"], filter=where)["id"].to_pylist()])
            return
        self.ds().update(change, where=where)

    def null_key(self, where):
        if self.group == "vectors":
            raise NotImplementedError("an update cannot set a vector to NULL in every release")
        self.ds().update({c: "NULL" for c in CHANGED[self.group]}, where=where)

    def merge_full(self, ids):
        new = self.changed(ids)
        new = new.append_column("val", pa.array([5000 + i for i in ids], pa.int64())).select(self.table([0]).column_names)
        self.ds().merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(new)

    def merge_partial(self, ids):
        self.ds().merge_insert("id").when_matched_update_all().execute(self.changed(ids))

    def merge_partial_other(self, ids):
        new = pa.table({"id": pa.array(ids, pa.int32()), "val": pa.array([7000 + i for i in ids], pa.int64())})
        self.ds().merge_insert("id").when_matched_update_all().execute(new)

    def append(self, ids):
        lance.write_dataset(self.table(ids), self.uri, mode="append")

    def compact(self, **options):
        self.ds().optimize.compact_files(target_rows_per_fragment=1000, **options)

    def optimize(self, **options):
        self.ds().optimize.optimize_indices(**options)


    def replace(self):
        """Replaces the file that one fragment has of the first indexed column, which no row of it moves or is deleted for."""
        column = INDICES[self.group][0][0]
        fragment = self.ds().get_fragment(0)
        old = fragment.data_files()[-1]
        other = lance.write_dataset(self.changed(range(PER_FILE)).select([column]), self.uri + ".other",
                                    data_storage_version=self.ds().data_storage_version)
        new = other.get_fragment(0).data_files()[0]
        shutil.copy(os.path.join(self.uri + ".other", "data", new.path), os.path.join(self.uri, "data", new.path))
        shutil.rmtree(self.uri + ".other")
        file = lance.fragment.DataFile(new.path, old.fields, old.column_indices, new.file_major_version, new.file_minor_version)
        group = lance.LanceOperation.DataReplacementGroup(0, file)
        lance.LanceDataset.commit(self.uri, lance.LanceOperation.DataReplacement([group]), read_version=self.ds().version)

    def separate(self):
        """Gives the first indexed column data files of its own."""
        column = INDICES[self.group][0][0]
        rows = self.ds().to_table(columns=["id", column])
        self.ds().drop_columns([column])
        self.ds().merge(rows, "id")


DELTA = {"num_indices_to_merge": 0}
FEW = "id in (2, 7, 33)"

# The order of the steps of each history. Each starts from an empty folder.
HISTORIES = {
    "plain": lambda h: (h.write(), h.build()),
    "update_other": lambda h: (h.write(), h.build(), h.update_other("id % 3 = 0")),
    "update_other_compact": lambda h: (h.write(), h.build(), h.update_other("id % 3 = 0"), h.compact()),
    "update_other_optimize": lambda h: (h.write(), h.build(), h.update_other("id % 3 = 0"), h.optimize()),
    "update_other_optimize_delta": lambda h: (h.write(), h.build(), h.update_other("id % 3 = 0"), h.optimize(**DELTA)),
    "delete_build": lambda h: (h.write(), h.delete("id % 2 = 0"), h.build()),
    "delete_build_compact": lambda h: (h.write(), h.delete("id % 2 = 0"), h.build(), h.compact()),
    "build_delete": lambda h: (h.write(), h.build(), h.delete("id % 7 = 0 or id < 30")),
    "build_delete_compact_optimize": lambda h: (h.write(), h.build(), h.delete("id % 7 = 0"), h.compact(), h.optimize()),
    "build_delete_append_optimize": lambda h: (
        h.write(), h.build(), h.delete("id % 7 = 0"), h.append(range(90, 110)), h.delete("id = 95"), h.optimize()),
    "update_key": lambda h: (h.write(), h.build(), h.update_key("id < 10")),
    "update_key_optimize": lambda h: (h.write(), h.build(), h.update_key("id < 10"), h.optimize()),
    "update_key_optimize_delta": lambda h: (h.write(), h.build(), h.update_key("id < 10"), h.optimize(**DELTA)),
    "update_key_compact": lambda h: (h.write(), h.build(), h.update_key("id < 10"), h.compact()),
    "update_key_compact_optimize": lambda h: (h.write(), h.build(), h.update_key("id < 10"), h.compact(), h.optimize()),
    "update_key_optimize_compact": lambda h: (h.write(), h.build(), h.update_key("id < 10"), h.optimize(), h.compact()),
    "update_key_twice": lambda h: (
        h.write(), h.build(), h.update_key("id < 10"), h.optimize(), h.update_other("id < 5"), h.update_key("id in (3, 50)"),
        h.optimize()),
    "update_all": lambda h: (h.write(), h.build(), h.update_key("true"), h.optimize()),
    "null_key": lambda h: (h.write(), h.build(), h.null_key("id < 10"), h.optimize()),
    "value_for_null": lambda h: (h.write(), h.build(), h.update_key("id in (3, 13, 23, 33)"), h.optimize()),
    "merge_full": lambda h: (h.write(), h.build(), h.merge_full([2, 7, 33, 200]), h.optimize()),
    "merge_partial": lambda h: (h.write(), h.build(), h.merge_partial([2, 7, 33])),
    "merge_partial_optimize": lambda h: (h.write(), h.build(), h.merge_partial([2, 7, 33]), h.optimize()),
    "merge_partial_optimize_delta": lambda h: (h.write(), h.build(), h.merge_partial([2, 7, 33]), h.optimize(**DELTA)),
    "merge_partial_compact_optimize": lambda h: (h.write(), h.build(), h.merge_partial([2, 7, 33]), h.compact(), h.optimize()),
    "merge_partial_optimize_compact": lambda h: (h.write(), h.build(), h.merge_partial([2, 7, 33]), h.optimize(), h.compact()),
    "merge_partial_delta_compact": lambda h: (h.write(), h.build(), h.merge_partial([2, 7, 33]), h.optimize(**DELTA), h.compact()),
    "merge_partial_append_delta": lambda h: (
        h.write(), h.build(), h.merge_partial([2, 7, 33]), h.append(range(90, 110)), h.optimize(**DELTA), h.optimize()),
    "merge_partial_other": lambda h: (h.write(), h.build(), h.merge_partial_other([2, 7, 33]), h.optimize()),
    "append_optimize": lambda h: (h.write(), h.build(), h.append(range(90, 110)), h.optimize()),
    "append_delta_update": lambda h: (
        h.write(), h.build(), h.append(range(90, 110)), h.optimize(**DELTA), h.update_key("id in (2, 95)"), h.optimize()),
    "append_delta_delta_merge": lambda h: (
        h.write(), h.build(), h.append(range(90, 110)), h.optimize(**DELTA), h.update_key(FEW), h.optimize(**DELTA),
        h.optimize(num_indices_to_merge=2)),
    "compact_deferred": lambda h: (h.write(), h.build(), h.update_key("id < 10"), h.compact(defer_index_remap=True)),
    "overwrite": lambda h: (h.write(), h.build(), h.write(range(60), "overwrite"), h.build(), h.delete("id < 3")),
    "restore": lambda h: (h.write(), h.build(), h.update_key("id < 10"), h.optimize(), lance.dataset(h.uri, version=2).restore()),
    "restore_update": lambda h: (
        h.write(), h.build(), h.update_key("id < 10"), h.optimize(), lance.dataset(h.uri, version=4).restore(),
        h.update_key("id in (50, 51)"), h.optimize()),
    "replace_column": lambda h: (h.write(), h.separate(), h.build(), h.replace()),
    "replace_column_compact": lambda h: (h.write(), h.separate(), h.build(), h.replace(), h.compact()),
    "replace_column_optimize": lambda h: (h.write(), h.separate(), h.build(), h.replace(), h.append(range(90, 110)), h.optimize()),
    "add_column": lambda h: (
        h.write(), h.build(), h.ds().add_columns({"extra": "val * 2"}), h.update_key("id < 10"), h.optimize()),
}


def main(folder, only=None):
    os.makedirs(folder)
    with open(os.path.join(folder, "skipped.txt"), "w") as skipped:
        for group in VALUES:
            for name, steps in HISTORIES.items():
                for stable in (False, True):
                    table = "%s_%s%s" % (group, name, "_stable" if stable else "")
                    if only and only not in table:
                        continue
                    uri = os.path.join(folder, table + ".lance")
                    try:
                        steps(History(uri, group, stable))
                    except BaseException as e:  # a panic of the release's Rust code is no Exception
                        if isinstance(e, KeyboardInterrupt):
                            raise
                        shutil.rmtree(uri, ignore_errors=True)
                        skipped.write("%s: %s: %s\n" % (table, type(e).__name__, str(e).split("\n")[0][:200]))


if __name__ == "__main__":
    main(*sys.argv[1:])
