// Package filepb holds the protobuf messages of Lance data files: the schema (package lance.file)
// and the container's column metadata (package lance.file.v2).
//
//	file.proto, file2.proto ──protoc──> *.pb.go <── lancefmt/file, lancefmt/table
//
// Messages are plain values: safe for concurrent reading once unmarshalled.
package filepb

//go:generate sh ../generate.sh
