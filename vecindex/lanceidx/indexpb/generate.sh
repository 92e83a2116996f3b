#!/bin/sh
# Regenerates index.pb.go. Needs protoc-gen-go on PATH and either protoc or, with PROTOC set, another
# command that takes protoc's arguments (PROTOC="python -m grpc_tools.protoc").
set -e
cd "$(dirname "$0")/../../.."
: "${PROTOC:=protoc}"
$PROTOC -I. --go_out=. --go_opt=module=lanceflight vecindex/lanceidx/indexpb/index.proto
