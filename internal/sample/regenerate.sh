#!/usr/bin/env bash
# Writes internal/sample/train.lance anew. Rows are the same on every run; file names, index training
# and time stamps are not.
set -euo pipefail
cd "$(dirname "$0")"
python3 -m venv "${VENV:=$(mktemp -d)}"
"$VENV/bin/pip" install --quiet pylance==14.0.2 pyarrow numpy pillow tqdm
rm -rf train.lance
"$VENV/bin/python" make_laion.py --rows 1000 --out train.lance --image-size 64 --btree --fts --num-partitions 4 --quiet
