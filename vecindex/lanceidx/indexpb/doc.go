// Package indexpb holds the protobuf messages of vector index files.
//
//go:generate ./generate.sh
package indexpb
