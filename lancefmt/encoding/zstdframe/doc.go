// Package zstdframe decodes small Zstandard frames, such as the chunks of a page compressed one by one.
//
//	frame ──> blocks ──> literals (Huffman) ──┐
//	                └──> sequences (FSE) ─────┴──> literals and copies, straight into the caller's memory
//
// Most of the time of a frame of one kibibyte goes into its tables, which general decoders build with no
// hurry. Here they are cheap to build, decoding and copying are one step, and nothing is allocated. Frames
// of this package's kind are those with no dictionary and no checksum that fill the whole input. All others,
// and all that are damaged, are declined: the caller asks a general decoder, which also knows what is wrong.
//
// A Decoder is for one goroutine at a time and keeps nothing between frames; Decode takes one from a pool.
//
// Source: RFC 8878.
package zstdframe
