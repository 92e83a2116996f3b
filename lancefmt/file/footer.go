package file

import (
	"encoding/binary"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
)

const (
	footerLen  = 40
	tableEntry = 16 // u64 offset, u64 size
	magic      = "LANC"
)

// footer is the last 40 bytes of a data file, little endian. The counts are kept as int64, so that
// products with the size of a table entry cannot overflow.
type footer struct {
	columnMetaStart int64 // offset of the first column's metadata
	columnTable     int64 // offset of the column metadata offset table
	globalTable     int64 // offset of the global buffer offset table
	numGlobals      int64
	numColumns      int64
	major, minor    uint16
}

// parseFooter decodes the footer at the end of tail, the last bytes of a file of size bytes. It
// checks that both offset tables lie inside the file, which also bounds the two counts: a table of
// four billion columns has 64 GiB.
func parseFooter(tail []byte, size int64) (footer, error) {
	if len(tail) < footerLen {
		return footer{}, fault.Corruptf("%d bytes are too few for a footer of %d", len(tail), footerLen)
	}
	b := tail[len(tail)-footerLen:]
	if string(b[36:]) != magic {
		return footer{}, fault.Corruptf("magic %q at the end instead of %q: not a Lance file", b[36:], magic)
	}
	f := footer{
		columnMetaStart: int64(binary.LittleEndian.Uint64(b)),
		columnTable:     int64(binary.LittleEndian.Uint64(b[8:])),
		globalTable:     int64(binary.LittleEndian.Uint64(b[16:])),
		numGlobals:      int64(binary.LittleEndian.Uint32(b[24:])),
		numColumns:      int64(binary.LittleEndian.Uint32(b[28:])),
		major:           binary.LittleEndian.Uint16(b[32:]),
		minor:           binary.LittleEndian.Uint16(b[34:]),
	}
	if err := checkVersion(f.major, f.minor); err != nil {
		return footer{}, err
	}
	end := size - footerLen
	if f.columnMetaStart < 0 || f.columnMetaStart > end {
		return footer{}, fault.Corruptf("column metadata starts at %d in a file of %d bytes", uint64(f.columnMetaStart), size)
	}
	if !inside(f.columnTable, f.numColumns*tableEntry, end) {
		return footer{}, fault.Corruptf("offset table of %d columns at %d in a file of %d bytes", f.numColumns, uint64(f.columnTable), size)
	}
	if !inside(f.globalTable, f.numGlobals*tableEntry, end) {
		return footer{}, fault.Corruptf("offset table of %d global buffers at %d in a file of %d bytes", f.numGlobals,
			uint64(f.globalTable), size)
	}
	return f, nil
}

// inside reports whether length bytes from offset lie before end. It does not add the two, which
// could overflow.
func inside(offset, length, end int64) bool {
	return offset >= 0 && length >= 0 && length <= end && offset <= end-length
}

// checkVersion refuses the footers that no decoder here knows. 2.0 is written as (0, 3); (2, 0) is
// what its manifests call it and accepted too, as the reference reader does.
func checkVersion(major, minor uint16) error {
	switch {
	case major == 0 && minor == 3, major == 2 && minor <= 3:
		return nil
	}
	return fault.New(fault.Unsupported, "data file of storage version %d.%d; known are 0.1, and 2.0 to 2.3", major, minor)
}

// parseTable decodes n entries of an offset table. Every range must lie before end.
func parseTable(b []byte, n, end int64, what string) ([]storage.Range, error) {
	if int64(len(b)) != n*tableEntry {
		return nil, fault.Corruptf("offset table of %d %ss has %d bytes", n, what, len(b))
	}
	table := make([]storage.Range, n)
	for i := range table {
		r := storage.Range{
			Offset: int64(binary.LittleEndian.Uint64(b[i*tableEntry:])),
			Length: int64(binary.LittleEndian.Uint64(b[i*tableEntry+8:])),
		}
		if !inside(r.Offset, r.Length, end) {
			return nil, fault.Corruptf("%s %d: %d bytes at %d lie outside the file", what, i, uint64(r.Length), uint64(r.Offset))
		}
		table[i] = r
	}
	return table, nil
}
