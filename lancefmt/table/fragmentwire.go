package table

import (
	"bytes"
	"io/fs"
	"math"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/tablepb"
)

// A manifest is mostly its fragments, and most of opening a table was to build a message for each,
// with its files and their numbers, only to copy it into a Fragment. So they are taken out of the
// manifest's bytes before it is unmarshalled, and those of the usual form are decoded here.
//
//	manifest ─splitFragments─> all else ─> tablepb.Manifest
//	               └─> bytes of each fragment ─fragmentDecoder─> Fragment
//	                            └─ of unusual form ─> tablepb.DataFragment ─> Fragment

// fragmentsField is the number of Manifest.fragments.
const fragmentsField = 2

// splitFragments takes the fragments out of the bytes of a Manifest message: a fragment is a field
// 2 of length-delimited kind. What is left is a message of its own, because fields of a message may
// have any order and any may be missing. The results alias not message, which may be mapped, but a
// copy that nobody writes to.
func splitFragments(message []byte) (rest []byte, fragments [][]byte, err error) {
	message = bytes.Clone(message)
	at := 0 // of what is not in rest yet
	for i := 0; i < len(message); {
		number, kind, n := protowire.ConsumeTag(message[i:])
		if n < 0 {
			return nil, nil, fault.Corruptf("the manifest is not a protobuf message: %v", protowire.ParseError(n))
		}
		start := i
		i += n
		if n = protowire.ConsumeFieldValue(number, kind, message[i:]); n < 0 {
			return nil, nil, fault.Corruptf("the manifest is not a protobuf message: %v", protowire.ParseError(n))
		}
		if number == fragmentsField && kind == protowire.BytesType {
			b, _ := protowire.ConsumeBytes(message[i:])
			if fragments == nil { // most are about as long as the first
				fragments = make([][]byte, 0, (len(message)-start)/(i-start+n)+8)
			}
			fragments = append(fragments, b)
			rest = append(rest, message[at:start]...)
			at = i + n
		}
		i += n
	}
	if at == 0 {
		return message, nil, nil
	}
	return append(rest, message[at:]...), fragments, nil
}

// fragmentDecoder decodes fragments one after the other. Paths alias their bytes, instead of a
// thousand small strings. Fields and columns of a file are shared with the file before if they are
// the same, as they are in all files that one statement wrote.
type fragmentDecoder struct {
	fields, columns shared
	// files is the backing of all fragments' files: usually there is one in each. Fragments get a
	// part of it with no capacity to spare.
	files []DataFile
}

// shared is a packed list of numbers as last met.
type shared struct {
	raw    []byte
	values []int32
}

// list decodes a packed list of varints. ok is false if it is not one. A negative number is a
// varint of ten bytes, of which the lower 32 bits count.
func (s *shared) list(b []byte) (values []int32, ok bool) {
	if s.values != nil && bytes.Equal(b, s.raw) {
		return s.values, true
	}
	values = make([]int32, 0, len(b))
	for at := b; len(at) > 0; {
		v, n := protowire.ConsumeVarint(at)
		if n < 0 {
			return nil, false
		}
		values = append(values, int32(v))
		at = at[n:]
	}
	s.raw, s.values = b, values[:len(values):len(values)]
	return s.values, true
}

// consumeTag, consumeVarint and consumeBytes are protowire's functions with a short way for what is
// nearly all of a fragment: tags, lengths and numbers of one byte.

func consumeTag(b []byte) (protowire.Number, protowire.Type, int) {
	if b[0] >= 1<<3 && b[0] < 1<<7 {
		return protowire.Number(b[0] >> 3), protowire.Type(b[0] & 7), 1
	}
	return protowire.ConsumeTag(b)
}

func consumeVarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 1<<7 {
		return uint64(b[0]), 1
	}
	return protowire.ConsumeVarint(b)
}

func consumeBytes(b []byte) ([]byte, int) {
	if len(b) > 0 && b[0] < 1<<7 && int(b[0]) < len(b) {
		return b[1 : 1+b[0]], 1 + int(b[0])
	}
	return protowire.ConsumeBytes(b)
}

// fragment decodes one fragment into f, which is zero. ok is false if it has anything beside id,
// files and row count, or is not well-formed. Then the caller decodes the message in the usual way,
// which decides what is wrong with it.
//
//	DataFragment: 1 id   2 files   4 physical_rows
//	DataFile:     1 path   2 fields   3 column_indices   4, 5 version   6 file_size_bytes   7 base_id
func (d *fragmentDecoder) fragment(b []byte, f *Fragment) (ok bool, err error) {
	var id, rows uint64
	first := len(d.files)
	for len(b) > 0 {
		number, kind, n := consumeTag(b)
		if n < 0 {
			return false, nil
		}
		b = b[n:]
		switch {
		case kind == protowire.VarintType && (number == 1 || number == 4):
			v, n := consumeVarint(b)
			if n < 0 {
				return false, nil
			}
			if number == 1 {
				id = v
			} else {
				rows = v
			}
			b = b[n:]
		case kind == protowire.BytesType && number == 2:
			v, n := consumeBytes(b)
			if n < 0 {
				return false, nil
			}
			d.files = append(d.files, DataFile{})
			if !d.file(v, &d.files[len(d.files)-1]) {
				return false, nil
			}
			b = b[n:]
		default:
			return false, nil
		}
	}
	f.ID, f.PhysicalRows = uint32(id), int64(rows)
	if n := len(d.files); n > first {
		f.Files = d.files[first:n:n]
	}
	return true, f.check(id, rows)
}

// file decodes a data file into f, which is zero.
func (d *fragmentDecoder) file(b []byte, f *DataFile) (ok bool) {
	f.SizeBytes = -1
	for len(b) > 0 {
		number, kind, n := consumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		switch {
		case kind == protowire.BytesType && number >= 1 && number <= 3:
			v, n := consumeBytes(b)
			if n < 0 {
				return false
			}
			switch number {
			case 1:
				if !utf8.Valid(v) {
					return false
				}
				f.Path = unsafe.String(unsafe.SliceData(v), len(v)) // nobody writes to the manifest's bytes
			case 2:
				if f.Fields != nil {
					return false // a list in parts
				}
				if f.Fields, ok = d.fields.list(v); !ok {
					return false
				}
			case 3:
				if f.ColumnIndices != nil {
					return false
				}
				if f.ColumnIndices, ok = d.columns.list(v); !ok {
					return false
				}
			}
			b = b[n:]
		case kind == protowire.VarintType && number >= 4 && number <= 7:
			v, n := consumeVarint(b)
			if n < 0 {
				return false
			}
			switch number {
			case 4:
				f.Major = uint32(v)
			case 5:
				f.Minor = uint32(v)
			case 6:
				if v > math.MaxInt64 {
					return false
				}
				if f.SizeBytes = int64(v); v == 0 {
					f.SizeBytes = -1
				}
			case 7:
				base := uint32(v)
				f.Base = &base
			}
			b = b[n:]
		default:
			return false
		}
	}
	return true
}

// check tests what holds of every fragment, and replaces counts that mean unknown. id and rows are
// as they are on the wire.
func (f *Fragment) check(id, rows uint64) error {
	// A row address has 32 bits for the fragment and 32 for the offset.
	if id > math.MaxUint32 {
		return fault.Corruptf("fragment id %d does not fit into a row address", id)
	}
	if rows > math.MaxUint32+1 {
		return fault.Corruptf("fragment %d claims %d rows, more than a row address can tell apart", f.ID, rows)
	}
	for i := range f.Files {
		if err := f.Files[i].check(f.ID); err != nil {
			return err
		}
	}
	if f.PhysicalRows == 0 && len(f.Files) > 0 {
		f.PhysicalRows = -1 // not on the wire: the files know
	}
	return nil
}

func (f *DataFile) check(fragment uint32) error {
	// Nearly all are names without a folder; that they are UTF-8 is known.
	if name := f.Path != "" && f.Path[0] != '.' && strings.IndexByte(f.Path, '/') < 0; !name && (!fs.ValidPath(f.Path) || f.Path == ".") {
		return fault.Corruptf("fragment %d has a data file at %q, which is no path below a folder", fragment, f.Path)
	}
	// Legacy files have no column indices.
	if !f.Legacy() && len(f.Fields) != len(f.ColumnIndices) {
		return fault.Corruptf("data file %q of fragment %d lists %d fields but %d columns", f.Path, fragment,
			len(f.Fields), len(f.ColumnIndices))
	}
	return nil
}

// fewFragments is up to how many fragments one goroutine decodes.
const fewFragments = 256

// newFragments decodes the fragments of a manifest, many of them on all cores.
func newFragments(list [][]byte) ([]Fragment, error) {
	fragments := make([]Fragment, len(list))
	parts := max(1, min(runtime.GOMAXPROCS(0), len(list)/fewFragments))
	errs := make([]error, parts)
	var wg sync.WaitGroup
	for i := 1; i < parts; i++ {
		from, to := len(list)*i/parts, len(list)*(i+1)/parts
		wg.Go(func() { errs[i] = decodeFragments(list[from:to], fragments[from:to]) })
	}
	errs[0] = decodeFragments(list[:len(list)/parts], fragments[:len(list)/parts])
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return fragments, nil
}

// decodeFragments decodes fragments into out, which is zero. It does not touch the mapped manifest,
// only the copy that splitFragments made of it.
func decodeFragments(list [][]byte, out []Fragment) error {
	d := fragmentDecoder{files: make([]DataFile, 0, len(list))}
	for i, b := range list {
		ok, err := d.fragment(b, &out[i])
		if err == nil && !ok {
			p := new(tablepb.DataFragment)
			if err = unmarshal(b, p, "manifest"); err == nil {
				out[i], err = fragmentOf(p)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
