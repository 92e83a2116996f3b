#!/bin/sh
# Regenerates the Go code of every .proto below lancefmt/pb.
# Needs protoc-gen-go on PATH and either protoc or, with PROTOC set, another command that takes
# protoc's arguments (PROTOC="python -m grpc_tools.protoc").
set -e
cd "$(dirname "$0")/../.."
: "${PROTOC:=protoc}"
$PROTOC -I. --go_out=. --go_opt=module=lanceflight $(find lancefmt/pb -name '*.proto' | sort)
