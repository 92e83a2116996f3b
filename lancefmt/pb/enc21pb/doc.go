// Package enc21pb holds the protobuf messages that describe the pages of storage versions 2.1 and
// 2.2: lance.encodings21.PageLayout and the encodings inside it.
//
//	enc21.proto ──protoc──> enc21.pb.go <── lancefmt/encoding/v21
//
// Messages are plain values: safe for concurrent reading once unmarshalled.
package enc21pb

//go:generate sh ../generate.sh
