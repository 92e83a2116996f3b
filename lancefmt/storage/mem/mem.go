// Package mem is a store in the memory of this process, for tests, fuzzing, and tables embedded in the program.
package mem

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
)

// Store has its objects in memory. It is safe for concurrent use.
type Store struct {
	uri     string
	mem     memory.Allocator
	prefix  string // of the names of its objects in the map, "" or with a slash at its end
	objects *objects
}

// objects are shared by the stores below one root.
type objects struct {
	mu     sync.RWMutex
	byName map[string]entry
	puts   uint64 // so far
}

type entry struct {
	data  []byte
	mtime time.Time
	id    uint64
}

// set puts an object, under the lock.
func (o *objects) set(name string, data []byte) {
	o.puts++
	o.byName[name] = entry{data: data, mtime: time.Now(), id: o.puts}
}

func (e entry) info(name string) storage.Info {
	return storage.Info{Name: name, SizeBytes: int64(len(e.data)), LastModified: e.mtime, Identity: e.id}
}

// New returns an empty store in memory. Buffers alias the bytes that were put.
func New() *Store {
	return &Store{uri: Scheme.Name + "://", objects: &objects{byName: map[string]entry{}}}
}

// NewWith returns an empty store in memory whose buffers are copies allocated from mem, so that a checked allocator finds
// the ones that a reader forgets to release.
func NewWith(mem memory.Allocator) *Store {
	s := New()
	s.mem = mem
	return s
}

// Scheme opens memory://NAME and memory://NAME/FOLDER, where NAME is that of a store which this process published.
var Scheme = storage.Scheme{Name: "memory", Open: func(_ context.Context, rest string) (storage.Store, error) {
	name, folder, _ := strings.Cut(rest, "/")
	published.Lock()
	root := published.byName[name]
	published.Unlock()
	if root == nil {
		return nil, fault.New(fault.NotFound, "open memory://%s: this process has no store of that name", rest)
	}
	folder = strings.Trim(folder, "/")
	if folder == "" {
		return root, nil
	}
	if err := storage.CheckName(folder); err != nil {
		return nil, err
	}
	return &Store{uri: root.uri + "/" + folder, mem: root.mem, prefix: folder + "/", objects: root.objects}, nil
}}

var published struct {
	sync.Mutex
	byName map[string]*Store
}

// Publish makes an empty store that this process can open as memory://NAME, until withdraw is called. A store of that
// name is replaced.
func Publish(name string) (s *Store, withdraw func()) {
	s = New()
	s.uri += name
	published.Lock()
	defer published.Unlock()
	if published.byName == nil {
		published.byName = map[string]*Store{}
	}
	published.byName[name] = s
	return s, func() {
		published.Lock()
		defer published.Unlock()
		if published.byName[name] == s {
			delete(published.byName, name)
		}
	}
}

// Put sets an object, replacing one of that name. The store keeps data.
func (s *Store) Put(name string, data []byte) {
	s.objects.mu.Lock()
	defer s.objects.mu.Unlock()
	s.objects.set(s.prefix+name, data)
}

// Delete removes an object, if it is there.
func (s *Store) Delete(name string) {
	s.objects.mu.Lock()
	defer s.objects.mu.Unlock()
	delete(s.objects.byName, s.prefix+name)
}

// URI implements storage.Store.
func (s *Store) URI() string { return s.uri }

// Open implements storage.Store.
func (s *Store) Open(ctx context.Context, name string, sizeBytes int64) (storage.Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := storage.CheckName(name); err != nil {
		return nil, err
	}
	s.objects.mu.RLock()
	stored, ok := s.objects.byName[s.prefix+name]
	s.objects.mu.RUnlock()
	if !ok {
		return nil, fault.New(fault.NotFound, "open %s: no such object", name)
	}
	if err := storage.CheckSize(name, int64(len(stored.data)), sizeBytes); err != nil {
		return nil, err
	}
	return storage.NewBytesObject(name, stored.data, s.mem), nil
}

// Stat implements storage.Stater. It knows objects only, since there are no directories.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	s.objects.mu.RLock()
	defer s.objects.mu.RUnlock()
	stored, ok := s.objects.byName[s.prefix+name]
	if !ok {
		return storage.Info{}, fault.New(fault.NotFound, "stat %s: no such object", name)
	}
	return stored.info(name), nil
}

// List implements storage.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]storage.Info, []string, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	base := s.prefix + storage.ListBase(prefix)
	s.objects.mu.RLock()
	defer s.objects.mu.RUnlock()
	var found []storage.Info
	var dirs []string
	for name, stored := range s.objects.byName {
		rest, ok := strings.CutPrefix(name, base)
		if !ok {
			continue
		}
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			dirs = append(dirs, name[len(s.prefix):len(base)+i+1])
			continue
		}
		found = append(found, stored.info(name[len(s.prefix):]))
	}
	slices.SortFunc(found, func(a, b storage.Info) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(dirs)
	return found, slices.Compact(dirs), nil
}

// PutIfAbsent implements storage.Store.
func (s *Store) PutIfAbsent(ctx context.Context, name string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := storage.CheckName(name); err != nil {
		return err
	}
	s.objects.mu.Lock()
	defer s.objects.mu.Unlock()
	if _, taken := s.objects.byName[s.prefix+name]; taken {
		return fault.New(fault.AlreadyExists, "create %s: the object exists", name)
	}
	s.objects.set(s.prefix+name, slices.Clone(data))
	return nil
}
