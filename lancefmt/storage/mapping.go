package storage

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// mapping is a file mapped for reading.
//
//	mapping.whole  ─ refcount 1 for the object, 1 per slice handed out
//	   └─ slice(r) ─ a child buffer; its last Release lets go of whole
//	whole at zero ─ munmap
//
// The count is that of an Arrow buffer, so that arrays which alias the file keep it mapped with
// nothing but their own Retain and Release.
type mapping struct {
	whole *memory.Buffer
	data  []byte
	name  string // of the object, for messages
	path  string // of the file, to find out why a page is gone
}

// live has every mapping, for Guard to name the file that a faulting address belongs to.
var live struct {
	sync.Mutex
	set map[*mapping]struct{}
}

var openMappings atomic.Int64

// OpenMappings returns how many files are mapped now. It falls to zero once all objects are closed
// and all buffers released, which leak tests check.
func OpenMappings() int64 { return openMappings.Load() }

// newMapping maps the first size bytes of a file, size > 0. The descriptor may be closed after.
func newMapping(f *os.File, size int64, name string) (*mapping, error) {
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
	m := &mapping{data: data, name: name, path: abs}
	m.whole = memory.NewBufferWithAllocator(data, (*unmapper)(m))
	openMappings.Add(1)
	live.Lock()
	if live.set == nil {
		live.set = make(map[*mapping]struct{})
	}
	live.set[m] = struct{}{}
	live.Unlock()
	return m, nil
}

func (m *mapping) slice(r Range) *memory.Buffer {
	return memory.SliceBuffer(m.whole, int(r.Offset), int(r.Length))
}

func (m *mapping) release() { m.whole.Release() }

// find returns the mapping that an address lies in.
func findMapping(addr uintptr) *mapping {
	live.Lock()
	defer live.Unlock()
	for m := range live.set {
		start := uintptr(unsafe.Pointer(unsafe.SliceData(m.data)))
		// The kernel maps whole pages: the fault may be behind the last byte of the file.
		if addr >= start && addr-start < uintptr(len(m.data)+os.Getpagesize()) {
			return m
		}
	}
	return nil
}

// unmapper is the allocator of a mapping's buffer: only Free is ever called, as the buffer is not
// mutable.
type unmapper mapping

func (*unmapper) Allocate(size int) []byte { return make([]byte, size) }
func (*unmapper) Reallocate(size int, old []byte) []byte {
	return append(make([]byte, 0, size), old...)[:size]
}

func (u *unmapper) Free([]byte) {
	m := (*mapping)(u)
	live.Lock()
	delete(live.set, m)
	live.Unlock()
	_ = unmapFile(m.data) // fails only for what is not a mapping
	openMappings.Add(-1)
}
