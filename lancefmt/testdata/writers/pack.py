"""Packs tables that write.py wrote, for the repository: python pack.py OUT/VERSION/NAME.lance ...

Each becomes VERSION-NAME.tar.zst beside this script.
"""
import io
import os
import sys
import tarfile

import pyarrow as pa

HERE = os.path.dirname(os.path.abspath(__file__))


def plain(info):
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


for path in sys.argv[1:]:
    path = path.rstrip("/")
    version, name = os.path.basename(os.path.dirname(path)), os.path.basename(path).removesuffix(".lance")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(path, name + ".lance", filter=plain)
    with pa.CompressedOutputStream(pa.OSFile(os.path.join(HERE, f"{version}-{name}.tar.zst"), "wb"), "zstd") as f:
        f.write(out.getvalue())
