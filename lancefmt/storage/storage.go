// Package storage reads byte ranges of the objects below one root, which is a directory or the prefix of a bucket. It has
// the interface, and what implementations of it share; the implementations are folders beside it.
//
//	lancefmt/table, lancefmt/file ──ReadRanges──> Object ──> local: a mapped file
//	                                                     └─> mem: bytes in this process
//	stores: which of them a URI names      faulty: a store in which things go wrong, for tests
//	storagetest: the suite that every store passes
//
// A Store and its Objects are safe for concurrent use. Buffers are reference counted; a buffer of a
// mapped file keeps the mapping alive until its last Release, also after Object.Close.
//
// Bytes of a mapped file are read from the disk when they are touched. Goroutines that touch them,
// directly or through an array that aliases them, do so below Guard, which turns the signal for a
// page that is gone into an error.
package storage

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Range is a byte range of an object: Length bytes from Offset.
type Range struct {
	Offset, Length int64
}

// End returns the offset behind the last byte.
func (r Range) End() int64 { return r.Offset + r.Length }

// Info describes an object in a listing. Name is relative to the store's root, with '/'.
type Info struct {
	Name         string
	SizeBytes    int64
	LastModified time.Time
	// Identity tells an object from another that had the name before, also where size and time are
	// the same. It is comparable within one process only, and zero where the store knows nothing of the kind.
	Identity uint64
}

// Store is a set of named objects below one root.
type Store interface {
	// URI names the root, for messages and cache keys.
	URI() string
	// Open returns an object for reading. A missing one is fault.NotFound. sizeBytes is the size
	// the caller knows from a manifest, or -1; it saves a request on object stores.
	Open(ctx context.Context, name string, sizeBytes int64) (Object, error)
	// List returns the objects directly below prefix ("_versions/"), in name order, and the names
	// of "directories" below it, each with a trailing '/'. A missing prefix lists as empty.
	List(ctx context.Context, prefix string) (objects []Info, dirs []string, err error)
	// PutIfAbsent creates an object atomically; fault.AlreadyExists if the name is taken.
	PutIfAbsent(ctx context.Context, name string, data []byte) error
}

// Object is one immutable object, opened for reading.
type Object interface {
	Name() string
	SizeBytes() int64
	// ReadRanges returns one buffer per range, in order, each exactly range.Length long. Ranges may
	// be in any order and may overlap; the implementation coalesces neighbours into fewer reads.
	// The caller owns the buffers and releases each one. A range outside the object is a
	// fault.CorruptError (a length field lied), a short read too. Nothing is allocated for
	// ranges outside the object. Buffers must not be written to.
	ReadRanges(ctx context.Context, ranges []Range) ([]*memory.Buffer, error)
	// Close releases the object; buffers handed out stay valid.
	Close() error
}
