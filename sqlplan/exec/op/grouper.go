package op

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/kernel"
)

// Grouper numbers the distinct rows of some key columns in the order of first appearance. NULLs equal
// each other, -0 equals 0 and NaN equals NaN, as in PostgreSQL. It belongs to one goroutine.
//
//	one key of numbers, booleans, dates, times    WordTable over the normalised word
//	one key of strings or bytes                   BytesTable over the value itself
//	anything else                                 BytesTable over kernel.Keys
type Grouper struct {
	words *kernel.WordTable
	text  *kernel.BytesTable
	keys  *kernel.BytesTable

	norm    []uint64
	encoded kernel.Keys
	codes   []int32 // dictionary code to number, for one batch
}

func NewGrouper(types []arrow.DataType) *Grouper {
	if len(types) == 1 {
		switch t := types[0]; {
		case WordType(t):
			return &Grouper{words: kernel.NewWordTable()}
		case TextType(t):
			return &Grouper{text: kernel.NewBytesTable()}
		}
	}
	return &Grouper{keys: kernel.NewBytesTable()}
}

func WordType(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.BOOL, arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64,
		arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64, arrow.DATE32, arrow.DATE64, arrow.TIME32, arrow.TIME64,
		arrow.TIMESTAMP, arrow.DURATION:
		return true
	}
	return false
}

func TextType(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.STRING, arrow.BINARY, arrow.LARGE_STRING, arrow.LARGE_BINARY:
		return true
	case arrow.DICTIONARY:
		return TextType(t.(*arrow.DictionaryType).ValueType)
	}
	return false
}

// Size is the number of distinct rows so far.
func (g *Grouper) Size() int {
	switch {
	case g.words != nil:
		return g.words.Len()
	case g.text != nil:
		return g.text.Len()
	}
	return g.keys.Len()
}

func (g *Grouper) Bytes() int64 {
	switch {
	case g.words != nil:
		return g.words.Bytes() + 8*int64(cap(g.norm))
	case g.text != nil:
		return g.text.Bytes()
	}
	return g.keys.Bytes() + g.encoded.Bytes()
}

// Assign appends the number of every row to ids, and to fresh the rows that are the first of
// theirs.
func (g *Grouper) Assign(cols []arrow.Array, rows int, ids, fresh []int32) ([]int32, []int32, error) {
	switch {
	case g.words != nil:
		ids, fresh = g.assignWords(cols[0], ids, fresh)
		return ids, fresh, nil
	case g.text != nil:
		ids, fresh = g.assignText(cols[0], ids, fresh)
		return ids, fresh, nil
	}
	if err := g.encoded.Encode(cols, nil, rows); err != nil {
		return ids, fresh, err
	}
	for r := range rows {
		id, added := g.keys.Find(g.encoded.Row(r))
		if added {
			fresh = append(fresh, int32(r))
		}
		ids = append(ids, id)
	}
	return ids, fresh, nil
}

func (g *Grouper) assignWords(a arrow.Array, ids, fresh []int32) ([]int32, []int32) {
	g.norm, _ = kernel.Normalise(a, g.norm[:0])
	valid := kernel.ValidityOf(a)
	for r, w := range g.norm {
		var id int32
		var added bool
		if valid.Null(r) {
			id, added = g.words.Null()
		} else {
			id, added = g.words.Find(w)
		}
		if added {
			fresh = append(fresh, int32(r))
		}
		ids = append(ids, id)
	}
	return ids, fresh
}

func (g *Grouper) assignText(a arrow.Array, ids, fresh []int32) ([]int32, []int32) {
	if d, ok := a.(*array.Dictionary); ok {
		return g.assignCodes(d, ids, fresh)
	}
	value := TextOf(a)
	valid := kernel.ValidityOf(a)
	for r := range a.Len() {
		var id int32
		var added bool
		if valid.Null(r) {
			id, added = g.text.Null()
		} else {
			id, added = g.text.Find(value(r))
		}
		if added {
			fresh = append(fresh, int32(r))
		}
		ids = append(ids, id)
	}
	return ids, fresh
}

// assignCodes looks each code of a dictionary up once.
func (g *Grouper) assignCodes(d *array.Dictionary, ids, fresh []int32) ([]int32, []int32) {
	dict := d.Dictionary()
	value := TextOf(dict)
	g.codes = g.codes[:0]
	for range dict.Len() {
		g.codes = append(g.codes, -1)
	}
	for r := range d.Len() {
		var id int32
		var added bool
		if d.IsNull(r) {
			id, added = g.text.Null()
		} else {
			code := d.GetValueIndex(r)
			id = g.codes[code]
			if id < 0 {
				if dict.IsNull(code) {
					id, added = g.text.Null()
				} else {
					id, added = g.text.Find(value(code))
				}
				g.codes[code] = id
			}
		}
		if added {
			fresh = append(fresh, int32(r))
		}
		ids = append(ids, id)
	}
	return ids, fresh
}

// TextOf returns a function from row to the bytes of a string or binary value, not copied.
func TextOf(a arrow.Array) func(row int) []byte {
	switch a := a.(type) {
	case *array.String:
		return func(r int) []byte { return stringBytes(a.Value(r)) }
	case *array.LargeString:
		return func(r int) []byte { return stringBytes(a.Value(r)) }
	case *array.Binary:
		return a.Value
	case *array.LargeBinary:
		return a.Value
	case *array.Dictionary:
		value := TextOf(a.Dictionary())
		return func(r int) []byte { return value(a.GetValueIndex(r)) }
	}
	panic("grouper: not a text type: " + a.DataType().String())
}

func stringBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// Lookup returns the number of each row, -1 for rows that were not assigned one. It does not change the
// grouper, and may be called from several goroutines.
func (g *Grouper) Lookup(cols []arrow.Array, rows int) ([]int32, error) {
	ids := make([]int32, rows)
	switch {
	case g.words != nil:
		words, ok := kernel.Normalise(cols[0], nil)
		if !ok {
			return nil, fault.New(fault.Internal, "looking up %s among words", cols[0].DataType())
		}
		for r, w := range words {
			ids[r] = g.words.Lookup(w)
		}
	case g.text != nil:
		value := TextOf(cols[0])
		for r := range ids {
			ids[r] = g.text.Lookup(value(r))
		}
	default:
		var keys kernel.Keys
		if err := keys.Encode(cols, nil, rows); err != nil {
			return nil, err
		}
		for r := range ids {
			ids[r] = g.keys.Lookup(keys.Row(r))
		}
	}
	return ids, nil
}
