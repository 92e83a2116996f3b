// Package enc23pb holds the protobuf messages that describe the pages of storage version 2.3:
// lance.encodings23.PlanarLayout. The encodings inside it are those of enc21pb.
//
//	enc23.proto ──protoc──> enc23.pb.go <── lancefmt/encoding/v23
//
// Messages are plain values: safe for concurrent reading once unmarshalled.
package enc23pb

//go:generate sh ../generate.sh
