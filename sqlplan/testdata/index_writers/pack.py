"""Packs some of the tables of write.py: pack.py SELECTION ROOT OUT.tar.zst

SELECTION has lines "RELEASE TABLE VERDICT", where the verdict is "wrong" if some index of the table is, else "right". ROOT/RELEASE/TABLE.lance are the tables, ROOT/RELEASE/answers.json the answers. Of each table
stays what its newest version names, and the manifest of that version, so that the archive is small. Tables of releases from 13
on stay whole, because their first version tells who made them.
"""

import glob
import io
import json
import os
import subprocess
import sys
import tarfile
import uuid


def kept(uri, whole):
    """The files of a table that are packed, by their names below uri."""
    names = sorted(os.path.relpath(os.path.join(d, f), uri) for d, _, fs in os.walk(uri) for f in fs)
    names = [n for n in names if not n.startswith("_transactions") and not n.endswith(".json")]
    if whole:
        return names
    manifests = sorted(n for n in names if n.startswith("_versions/"))
    newest = manifests[0] if len(manifests[0]) > len("_versions/") + 25 else manifests[-1]
    with open(os.path.join(uri, newest), "rb") as f:
        manifest = f.read()

    def used(name):
        folder, rest = name.split("/", 1)
        if folder == "_versions":
            return name == newest
        if folder == "data":
            return rest.encode() in manifest
        if folder == "_indices":
            return uuid.UUID(rest.split("/")[0]).bytes in manifest
        return True

    return [n for n in names if used(n)]


def main(selection, root, out):
    answers, files = {}, []
    for line in open(selection):
        release, table, _ = line.split()
        answers.setdefault(release, {})[table] = json.load(open(os.path.join(root, release, "answers.json")))[table]
        uri = os.path.join(root, release, table + ".lance")
        for name in kept(uri, int(release.split(".")[0]) >= 13):
            # Files of one kind of one table stand beside those of other releases, which are nearly the same.
            files.append((table, name.split("/")[0], os.path.basename(name), release, os.path.join(uri, name), name))
    files.sort(key=lambda f: (f[0].split("_")[0], f[1], f[2] if f[1] == "_indices" else "", f[0], f[3], f[5]))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:

        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        for table, _, _, release, path, name in files:
            with open(path, "rb") as f:
                add("%s/%s.lance/%s" % (release, table, name), f.read())
        for release, tables in sorted(answers.items()):
            add(release + "/answers.json", json.dumps(tables, sort_keys=True, separators=(",", ":")).encode())
    subprocess.run(["zstd", "-q", "-f", "-17", "--long=26", "-o", out], input=buffer.getvalue(), check=True)
    print(len(files), "files of", len(buffer.getvalue()), "bytes,", os.path.getsize(out), "packed")


if __name__ == "__main__":
    main(*sys.argv[1:])
