package storage

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// Memory is a store in the process: for tests, fuzzing, and tables embedded in the program.
type Memory struct {
	uri string
	mem memory.Allocator

	mu      sync.RWMutex
	objects map[string]memoryEntry
}

type memoryEntry struct {
	data  []byte
	mtime time.Time
}

// NewMemory returns an empty store in memory. Buffers alias the bytes that were put.
func NewMemory() *Memory {
	return &Memory{uri: "memory://", objects: make(map[string]memoryEntry)}
}

// NewMemoryWith returns an empty store in memory whose buffers are copies allocated from mem, so
// that a checked allocator finds the ones that a reader forgets to release.
func NewMemoryWith(mem memory.Allocator) *Memory {
	s := NewMemory()
	s.mem = mem
	return s
}

// Put sets an object, replacing one of that name. The store keeps data.
func (s *Memory) Put(name string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[name] = memoryEntry{data: data, mtime: time.Now()}
}

// Delete removes an object, if it is there.
func (s *Memory) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, name)
}

// URI implements Store.
func (s *Memory) URI() string { return s.uri }

// Open implements Store.
func (s *Memory) Open(ctx context.Context, name string, sizeBytes int64) (Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	s.mu.RLock()
	entry, ok := s.objects[name]
	s.mu.RUnlock()
	if !ok {
		return nil, fault.New(fault.NotFound, "open %s: no such object", name)
	}
	if have := int64(len(entry.data)); sizeBytes >= 0 && have != sizeBytes {
		return nil, &fault.CorruptError{File: name, Column: -1, Page: -1, Offset: -1, Msg: sizeMismatch(have, sizeBytes)}
	}
	return &bytesObject{name: name, data: entry.data, mem: s.mem}, nil
}

// Stat implements Stater; it knows objects only, no directories.
func (s *Memory) Stat(ctx context.Context, name string) (Info, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry, ok := s.objects[name]
	if !ok {
		return Info{}, fault.New(fault.NotFound, "stat %s: no such object", name)
	}
	return Info{Name: name, SizeBytes: int64(len(entry.data)), LastModified: entry.mtime}, nil
}

// List implements Store.
func (s *Memory) List(ctx context.Context, prefix string) ([]Info, []string, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	base := listBase(prefix)
	s.mu.RLock()
	defer s.mu.RUnlock()
	var objects []Info
	var dirs []string
	for name, entry := range s.objects {
		rest, ok := strings.CutPrefix(name, base)
		if !ok {
			continue
		}
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			dirs = append(dirs, base+rest[:i+1])
			continue
		}
		objects = append(objects, Info{Name: name, SizeBytes: int64(len(entry.data)), LastModified: entry.mtime})
	}
	slices.SortFunc(objects, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(dirs)
	return objects, slices.Compact(dirs), nil
}

// PutIfAbsent implements Store.
func (s *Memory) PutIfAbsent(ctx context.Context, name string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkName(name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.objects[name]; taken {
		return fault.New(fault.AlreadyExists, "create %s: the object exists", name)
	}
	s.objects[name] = memoryEntry{data: slices.Clone(data), mtime: time.Now()}
	return nil
}
