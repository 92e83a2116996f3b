package index

import (
	"context"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
)

// indexFile is one Lance file of a segment.
type indexFile struct {
	reader   *file.Reader
	name     string
	mem      memory.Allocator
	fields   map[string]encoding.Field
	metadata map[string]string
	rows     int64
}

// legacy reports whether the file has storage version 0.1, whose values are never NULL but texts, where the empty one is.
func (f *indexFile) legacy() bool {
	major, minor := f.reader.Version()
	return major == 0 && minor < 3
}

func openIndexFile(ctx context.Context, store storage.Store, name string, sizeBytes int64, mem memory.Allocator) (*indexFile, error) {
	obj, err := store.Open(ctx, name, sizeBytes)
	if err != nil {
		return nil, err
	}
	r, err := file.Open(ctx, obj)
	if err != nil {
		return nil, fault.Place(err, name, -1, -1, -1)
	}
	f := &indexFile{reader: r, name: name, mem: mem, fields: map[string]encoding.Field{}, rows: r.NumRows()}
	fields, err := r.Fields(ctx)
	if err == nil {
		f.metadata, err = r.SchemaMetadata(ctx)
	}
	if err != nil {
		r.Close()
		return nil, f.place(err)
	}
	for _, x := range fields {
		f.fields[x.Name] = x
	}
	return f, nil
}

func (f *indexFile) place(err error) error { return fault.Place(err, f.name, -1, -1, -1) }

func (f *indexFile) corruptf(format string, args ...any) error {
	return f.place(fault.Corruptf(format, args...))
}

// field returns a column that the kind of index demands; a file without it is of another layout.
func (f *indexFile) field(name string, types ...arrow.Type) (encoding.Field, error) {
	x, ok := f.fields[name]
	if !ok {
		return x, fault.New(fault.Unsupported, "a scalar index whose file %s has no column %q", f.name, name)
	}
	for _, t := range types {
		if x.Type.ID() == t {
			return x, nil
		}
	}
	if len(types) > 0 {
		return x, f.corruptf("column %q has type %s", name, x.Type)
	}
	return x, nil
}

// readRows is how many rows of a directory are decoded at a time.
const readRows = 64 << 10

// each decodes rows of a column in parts. fn is called below storage.Guard and keeps nothing of the array.
func (f *indexFile) each(ctx context.Context, column string, fn func(arrow.Array) error) error {
	for at := int64(0); at < f.rows; at += readRows {
		if err := f.read(ctx, column, []encoding.Range{{Start: at, End: min(at+readRows, f.rows)}}, fn); err != nil {
			return err
		}
	}
	return nil
}

func (f *indexFile) read(ctx context.Context, column string, rows []encoding.Range, fn func(arrow.Array) error) error {
	arr, err := f.reader.ReadColumn(ctx, column, rows, f.mem)
	if err != nil {
		return f.place(fmt.Errorf("read column %q of %s: %w", column, f.name, err))
	}
	defer arr.Release()
	countRead(ctx, arr.Data().SizeInBytes())
	if int64(arr.Len()) != encoding.Count(rows) {
		return f.corruptf("column %q has fewer rows than the file", column)
	}
	return f.place(storage.Guard(func() error { return fn(arr) }))
}

// lookupBytes is what the directory in a file may take in memory: far above what a real one expands to,
// and below what a forged number of rows could ask for.
func (f *indexFile) lookupBytes(limit int64) int64 {
	return min(limit, 64<<20+256*f.reader.SizeBytes())
}

func errLookup(limit int64, file string) error {
	return fault.New(fault.ResourceExhausted, "the directory of a scalar index takes more than %d bytes (%s)", limit, file)
}

// lacks reports whether there is no such column.
func (f *indexFile) lacks(column string) bool {
	_, ok := f.fields[column]
	return !ok
}

// allKeys reads a column of keys.
func (f *indexFile) allKeys(ctx context.Context, column string, t keyType, limit int64) (*keys, error) {
	k := new(keys)
	limit = f.lookupBytes(limit)
	err := f.each(ctx, column, func(arr arrow.Array) error {
		if err := k.appendArray(t, arr); err != nil {
			return err
		}
		if k.growingBytes() > limit {
			return errLookup(limit, f.name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	k.seal()
	return k, nil
}

// keysOf reads some rows of a column of keys.
func (f *indexFile) keysOf(ctx context.Context, column string, t keyType, rows []encoding.Range) (*keys, error) {
	k := new(keys)
	err := f.read(ctx, column, rows, func(arr arrow.Array) error { return k.appendArray(t, arr) })
	if err != nil {
		return nil, err
	}
	k.seal()
	return k, nil
}

// unsigned reads a whole column of unsigned numbers without NULLs.
func (f *indexFile) unsigned(ctx context.Context, column string, limit int64) ([]uint64, error) {
	if _, err := f.field(column, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64); err != nil {
		return nil, err
	}
	k, err := f.allKeys(ctx, column, keyType{typ: arrow.PrimitiveTypes.Uint64, words: true}, limit)
	if err != nil {
		return nil, err
	}
	if k.numNulls > 0 {
		return nil, f.corruptf("column %q has NULLs", column)
	}
	return k.words, nil
}

// ids reads some rows of the column of row ids.
func (f *indexFile) ids(ctx context.Context, column string, rows []encoding.Range) ([]uint64, error) {
	var out []uint64
	err := f.read(ctx, column, rows, func(arr arrow.Array) error {
		a, ok := arr.(*array.Uint64)
		if !ok || a.NullN() > 0 {
			return fault.Corruptf("column %q of row ids has type %s and %d NULLs", column, arr.DataType(), arr.NullN())
		}
		out = append(out, a.Uint64Values()...)
		return nil
	})
	return out, err
}

func blobAt(arr arrow.Array, i int) ([]byte, error) {
	if arr.IsNull(i) {
		return nil, fault.Corruptf("the value is NULL")
	}
	switch a := arr.(type) {
	case *array.Binary:
		return a.Value(i), nil
	case *array.LargeBinary:
		return a.Value(i), nil
	}
	return nil, fault.Corruptf("the value has type %s", arr.DataType())
}

// buffer calls fn with the global buffer that a key of the schema's metadata names; fn keeps nothing
// of it. It reports whether there is such a key.
func (f *indexFile) buffer(ctx context.Context, metadata string, fn func([]byte) error) (bool, error) {
	text, ok := f.metadata[metadata]
	if !ok {
		return false, nil
	}
	n, err := parseUint(text, math.MaxInt32)
	if err != nil {
		return true, f.corruptf("metadata %q: %v", metadata, err)
	}
	buf, err := f.reader.GlobalBuffer(ctx, int(n))
	if fault.Is(err, fault.NotFound) {
		return true, f.corruptf("metadata %q names global buffer %d of %d", metadata, n, f.reader.NumGlobalBuffers())
	}
	if err != nil {
		return true, f.place(err)
	}
	defer buf.Release()
	return true, f.place(storage.Guard(func() error { return fn(buf.Bytes()) }))
}
