// Package mmap maps files for reading, hands out parts of them as Arrow buffers, and knows which file an address
// belongs to.
//
//	Map(file, size, name) ──> Mapping ──Slice(offset, length)──> *memory.Buffer
//	Lost(address)         ──> why the page of a mapped file at that address could not be read
//
// It is safe for concurrent use. storage.Guard asks Lost after a memory fault; lancefmt/storage/local maps the files.
package mmap

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// Mapping is a file mapped for reading.
//
//	Mapping.whole   ─ one reference of whoever called Map, one of each slice that was handed out
//	   └─ Slice(…)  ─ a child buffer, whose last Release lets go of whole
//	whole at zero   ─ munmap
//
// The count is that of an Arrow buffer, so that arrays which alias the file keep it mapped with
// nothing but their own Retain and Release.
type Mapping struct {
	whole *memory.Buffer
	data  []byte
	name  string // of the object, for messages
	path  string // of the file, to find out why a page is gone
}

// mapped has every mapping, so that Lost can name the file that a faulting address belongs to.
var mapped struct {
	sync.Mutex
	set map[*Mapping]struct{}
}

var openCount atomic.Int64

// Open returns how many files are mapped now. It falls to zero once all objects are closed
// and all buffers released, which leak tests check.
func Open() int64 { return openCount.Load() }

// Map maps the first size bytes of a file, size > 0; name is that of the object, for messages. The file may be closed
// afterwards. It fails where files cannot be mapped, or not such large ones: read the file instead.
func Map(f *os.File, size int64, name string) (*Mapping, error) {
	if size != int64(int(size)) {
		return nil, errNoMapping
	}
	data, err := mapFile(f, int(size))
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(f.Name())
	if err != nil {
		abs = f.Name()
	}
	m := &Mapping{data: data, name: name, path: abs}
	m.whole = memory.NewBufferWithAllocator(data, (*unmapper)(m))
	openCount.Add(1)
	mapped.Lock()
	if mapped.set == nil {
		mapped.set = make(map[*Mapping]struct{})
	}
	mapped.set[m] = struct{}{}
	mapped.Unlock()
	return m, nil
}

// Slice returns a part of the file, which must lie inside of it. The caller releases the buffer.
func (m *Mapping) Slice(offset, length int64) *memory.Buffer {
	return memory.SliceBuffer(m.whole, int(offset), int(length))
}

// Release lets go of the mapping; the file stays mapped until all slices are released too.
func (m *Mapping) Release() { m.whole.Release() }

// Lost says why the page at addr could not be read: a fault.CorruptError that names the file if it became shorter than it
// was, else fault.Unavailable. It is nil if the address lies in no mapped file.
func Lost(addr uintptr) error {
	m := findMapping(addr)
	if m == nil {
		return nil
	}
	was := int64(len(m.data))
	info, err := os.Stat(m.path)
	switch {
	case err == nil && info.Size() < was:
		return &fault.CorruptError{File: m.name, Column: -1, Page: -1, Offset: -1,
			Msg: fmt.Sprintf("another process cut the file from %d to %d bytes while it was being read", was, info.Size())}
	case err != nil:
		return fault.New(fault.Unavailable, "read %s: a page of the file could not be read, and the file is gone: %w", m.name, err)
	}
	return fault.New(fault.Unavailable, "read %s: a page of the file could not be read", m.name)
}

// findMapping returns the mapping that an address lies in.
func findMapping(addr uintptr) *Mapping {
	mapped.Lock()
	defer mapped.Unlock()
	for m := range mapped.set {
		start := uintptr(unsafe.Pointer(unsafe.SliceData(m.data)))
		// The kernel maps whole pages: the fault may be behind the last byte of the file.
		if addr >= start && addr-start < uintptr(len(m.data)+os.Getpagesize()) {
			return m
		}
	}
	return nil
}

// unmapper is the allocator of a mapping's buffer. Only Free is ever called, since the buffer is not mutable.
type unmapper Mapping

func (*unmapper) Allocate(size int) []byte { return make([]byte, size) }
func (*unmapper) Reallocate(size int, old []byte) []byte {
	return append(make([]byte, 0, size), old...)[:size]
}

func (u *unmapper) Free([]byte) {
	m := (*Mapping)(u)
	mapped.Lock()
	delete(mapped.set, m)
	mapped.Unlock()
	_ = unmapFile(m.data) // fails only for what is not a mapping
	openCount.Add(-1)
}
