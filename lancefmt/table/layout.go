package table

import (
	"bytes"
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
)

// A manifest file, as pylance 14.0.2 writes it:
//
//	+--------------------------+ <- Manifest.index_section (often 0), if present
//	| u32 length, IndexSection |
//	+--------------------------+ <- Manifest.transaction_section, if present
//	| u32 length, Transaction  |
//	+--------------------------+ <- manifest position
//	| u32 length, Manifest     |
//	+--------------------------+
//	| u64 manifest position    |
//	| u16 major, u16 minor     |   0, 2
//	| "LANC"                   |
//	+--------------------------+
//
// Integers are little endian. Sections may have any order; only their offsets count.
const (
	footerBytes = 16
	magic       = "LANC"
	// maxManifestBytes bounds what is read into memory. A manifest needs some hundred bytes per
	// fragment and data file, so this is room for millions of them.
	maxManifestBytes = 2 << 30
)

// manifestMessage returns the bytes of the Manifest message in a manifest file. The message must
// end where the footer begins: this tells a position that leads elsewhere in the file.
func manifestMessage(file []byte) ([]byte, error) {
	if len(file) < footerBytes+4 {
		return nil, fault.Corruptf("a manifest of %d bytes has no room for its footer", len(file))
	}
	footer := file[len(file)-footerBytes:]
	if !bytes.HasSuffix(footer, []byte(magic)) {
		return nil, fault.Place(fault.Corruptf("a manifest ends in %q, not in %q", footer[12:], magic),
			"", -1, -1, int64(len(file)-4))
	}
	position := binary.LittleEndian.Uint64(footer)
	message, err := section(file, position, "manifest")
	if err != nil {
		return nil, err
	}
	if have := uint64(len(file)-footerBytes-4) - position; uint64(len(message)) != have {
		return nil, fault.Place(fault.Corruptf("the manifest says it has %d bytes, but %d stand before the footer", len(message), have),
			"", -1, -1, int64(position))
	}
	return message, nil
}

// section returns the bytes of a length-prefixed message at an offset of a manifest file.
func section(file []byte, offset uint64, what string) ([]byte, error) {
	body := file[:len(file)-footerBytes]
	if offset > uint64(len(body)) || uint64(len(body))-offset < 4 {
		return nil, fault.Corruptf("the %s is said to stand at offset %d of a file of %d bytes", what, offset, len(file))
	}
	length := binary.LittleEndian.Uint32(body[offset:])
	rest := body[offset+4:]
	if uint64(length) > uint64(len(rest)) {
		return nil, fault.Place(fault.Corruptf("the %s is said to have %d bytes, but only %d follow", what, length, len(rest)),
			"", -1, -1, int64(offset))
	}
	return rest[:length], nil
}

// unmarshal decodes a message, and says which one where that fails.
func unmarshal(data []byte, m proto.Message, what string) error {
	if err := (proto.UnmarshalOptions{RecursionLimit: 100}).Unmarshal(data, m); err != nil {
		return fault.Corruptf("the %s is not a protobuf message: %v", what, err)
	}
	return nil
}

// wellTyped refuses messages with a field that they define, in a wire type that it does not have. Protobuf
// passes over such a field as if a newer version had added it, and one flipped bit in a tag makes it: a
// fragment lost its deletion file in silence, and its deleted rows came back.
func wellTyped(messages ...proto.Message) error {
	for _, m := range messages {
		r := m.ProtoReflect()
		for rest := r.GetUnknown(); len(rest) > 0; {
			number, kind, n := protowire.ConsumeField(rest)
			if n < 0 {
				return fault.Corruptf("a field of %s is cut", r.Descriptor().Name())
			}
			if f := r.Descriptor().Fields().ByNumber(number); f != nil {
				return fault.Corruptf("the field %s of %s has the wire type %d", f.Name(), r.Descriptor().Name(), kind)
			}
			rest = rest[n:]
		}
	}
	return nil
}
