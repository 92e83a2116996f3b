// Package tablepb holds the protobuf messages of manifests: tables, fragments, indices and row id
// sequences (package lance.table).
//
//	*.proto ──protoc──> *.pb.go <── lancefmt/table
//
// Messages are plain values: safe for concurrent reading once unmarshalled.
package tablepb

//go:generate sh ../generate.sh
