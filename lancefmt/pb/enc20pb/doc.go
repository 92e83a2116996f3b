// Package enc20pb holds the protobuf messages that describe pages and columns of storage version
// 2.0: lance.encodings.ArrayEncoding and lance.encodings.ColumnEncoding.
//
//	enc20.proto ──protoc──> enc20.pb.go <── lancefmt/encoding/v20
//
// Messages are plain values: safe for concurrent reading once unmarshalled.
package enc20pb

//go:generate sh ../generate.sh
