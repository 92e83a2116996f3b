package storage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// LocalOptions are the knobs of a local store.
type LocalOptions struct {
	// DisableMmap reads with pread into buffers of the Go heap: for file systems where a mapping
	// is slower than a read, and for tests of that path.
	DisableMmap bool
}

// OpenLocal opens a directory as a store whose objects are memory-mapped. A missing directory is
// fault.NotFound.
func OpenLocal(dir string) (Store, error) { return OpenLocalWith(dir, LocalOptions{}) }

// OpenLocalWith is OpenLocal with options.
func OpenLocalWith(dir string, opts LocalOptions) (Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fault.New(fault.InvalidArgument, "path %q: %w", dir, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, osError("open", abs, err)
	}
	if !info.IsDir() {
		return nil, fault.New(fault.InvalidArgument, "%s is not a directory", abs)
	}
	return &localStore{root: abs, opts: opts}, nil
}

// localStore holds no file open: mappings and descriptors belong to objects.
type localStore struct {
	root string
	opts LocalOptions
}

func (s *localStore) URI() string { return s.root }

// resolve turns a name into a path. Names come from manifests, that is from outside, so one that
// leaves the root is refused; links inside the root are the administrator's and are followed.
func (s *localStore) resolve(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return filepath.Join(s.root, filepath.FromSlash(name)), nil
}

// checkName refuses names that are not plain slash-separated paths below the root.
func checkName(name string) error {
	if name == "." || !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") {
		return fault.New(fault.InvalidArgument, "object name %q does not stay below the store's root", name)
	}
	return nil
}

func (s *localStore) Open(ctx context.Context, name string, sizeBytes int64) (Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	full, err := s.resolve(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(full)
	if err != nil {
		return nil, osError("open", name, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		f.Close()
		return nil, osError("open", name, err)
	}
	size := info.Size()
	if sizeBytes >= 0 && size != sizeBytes {
		f.Close()
		return nil, &fault.CorruptError{File: name, Column: -1, Page: -1, Offset: -1,
			Msg: sizeMismatch(size, sizeBytes)}
	}
	if size == 0 {
		f.Close()
		return &bytesObject{name: name}, nil
	}
	if !s.opts.DisableMmap {
		if m, err := newMapping(f, size, name); err == nil {
			f.Close()
			return &mappedObject{name: name, size: size, mapped: m}, nil
		}
		// Some file systems cannot map and an address space may be full: read instead.
	}
	return &fileObject{name: name, size: size, file: f}, nil
}

// Stat returns size and modification time of a file or a directory.
func (s *localStore) Stat(ctx context.Context, name string) (Info, error) {
	full, err := s.resolve(name)
	if err != nil {
		return Info{}, err
	}
	info, err := os.Stat(full)
	if err != nil {
		return Info{}, osError("stat", name, err)
	}
	return Info{Name: name, SizeBytes: info.Size(), LastModified: info.ModTime()}, nil
}

func (s *localStore) readDir(ctx context.Context, prefix string) ([]fs.DirEntry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir := s.root
	if trimmed := strings.TrimSuffix(prefix, "/"); trimmed != "" {
		var err error
		if dir, err = s.resolve(trimmed); err != nil {
			return nil, err
		}
	}
	entries, err := os.ReadDir(dir) // sorted by name
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, osError("list", prefix, err)
	}
	return entries, nil
}

func (s *localStore) List(ctx context.Context, prefix string) ([]Info, []string, error) {
	entries, err := s.readDir(ctx, prefix)
	if err != nil {
		return nil, nil, err
	}
	base := listBase(prefix)
	var objects []Info
	var dirs []string
	for _, entry := range entries {
		name := base + entry.Name()
		info, err := entry.Info()
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			info, err = os.Stat(filepath.Join(s.root, filepath.FromSlash(name)))
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since the directory was read
		}
		if err != nil {
			return nil, nil, osError("list", name, err)
		}
		if info.IsDir() {
			dirs = append(dirs, name+"/")
			continue
		}
		objects = append(objects, Info{Name: name, SizeBytes: info.Size(), LastModified: info.ModTime()})
	}
	return objects, dirs, nil
}

// ListNames lists files without asking for their sizes: one system call per some hundred names.
func (s *localStore) ListNames(ctx context.Context, prefix string) ([]string, error) {
	entries, err := s.readDir(ctx, prefix)
	if err != nil {
		return nil, err
	}
	base := listBase(prefix)
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, base+entry.Name())
		}
	}
	return names, nil
}

func listBase(prefix string) string {
	if prefix == "" || strings.HasSuffix(prefix, "/") {
		return prefix
	}
	return prefix + "/"
}

// PutIfAbsent implements Store; see Create.
func (s *localStore) PutIfAbsent(ctx context.Context, name string, data []byte) error {
	w, err := s.Create(ctx, name)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Commit()
}

// osError gives an error of the operating system its kind. What is not known to be final is
// Unavailable: a disk or a network may do better later, and reads are tried again.
func osError(verb, name string, err error) error {
	kind := fault.Unavailable
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		kind = fault.NotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		kind = fault.PermissionDenied
	case errors.Is(err, fs.ErrExist):
		kind = fault.AlreadyExists
	case errors.Is(err, syscall.ENOSPC):
		kind = fault.ResourceExhausted
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL):
		kind = fault.InvalidArgument
	}
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		err = pathErr.Err
	case errors.As(err, &linkErr):
		err = linkErr.Err
	}
	return fault.New(kind, "%s %s: %w", verb, name, err)
}

// fileObject reads with pread. Buffers are copies, so they outlive the descriptor.
type fileObject struct {
	name string
	size int64
	file *os.File

	closing sync.Once
}

func (o *fileObject) Name() string     { return o.name }
func (o *fileObject) SizeBytes() int64 { return o.size }

func (o *fileObject) ReadRanges(ctx context.Context, ranges []Range) ([]*memory.Buffer, error) {
	return readCoalesced(ctx, o.name, o.size, ranges, memory.DefaultAllocator, func(p []byte, off int64) error {
		n, err := o.file.ReadAt(p, off)
		if n == len(p) {
			return nil
		}
		if err == nil || errors.Is(err, os.ErrClosed) {
			return fault.New(fault.Internal, "read %s: the object is closed", o.name)
		}
		return shortRead(o.name, off, len(p), n, err)
	})
}

func (o *fileObject) Close() error {
	o.closing.Do(func() { o.file.Close() })
	return nil
}

// mappedObject hands out slices of the mapping.
type mappedObject struct {
	name string
	size int64

	mu     sync.Mutex
	mapped *mapping // nil once closed
}

func (o *mappedObject) Name() string     { return o.name }
func (o *mappedObject) SizeBytes() int64 { return o.size }

func (o *mappedObject) ReadRanges(ctx context.Context, ranges []Range) ([]*memory.Buffer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, r := range ranges {
		if err := checkRange(o.name, o.size, r); err != nil {
			return nil, err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mapped == nil {
		return nil, fault.New(fault.Internal, "read %s: the object is closed", o.name)
	}
	buffers := make([]*memory.Buffer, len(ranges))
	for i, r := range ranges {
		buffers[i] = o.mapped.slice(r)
	}
	return buffers, nil
}

func (o *mappedObject) Close() error {
	o.mu.Lock()
	m := o.mapped
	o.mapped = nil
	o.mu.Unlock()
	if m != nil {
		m.release()
	}
	return nil
}

// bytesObject is an object in memory; also the empty file, which cannot be mapped.
type bytesObject struct {
	name string
	data []byte
	mem  memory.Allocator // nil: buffers alias data
}

func (o *bytesObject) Name() string     { return o.name }
func (o *bytesObject) SizeBytes() int64 { return int64(len(o.data)) }
func (o *bytesObject) Close() error     { return nil }

func (o *bytesObject) ReadRanges(ctx context.Context, ranges []Range) ([]*memory.Buffer, error) {
	if o.mem != nil {
		return readCoalesced(ctx, o.name, int64(len(o.data)), ranges, o.mem, func(p []byte, off int64) error {
			copy(p, o.data[off:])
			return nil
		})
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, r := range ranges {
		if err := checkRange(o.name, int64(len(o.data)), r); err != nil {
			return nil, err
		}
	}
	buffers := make([]*memory.Buffer, len(ranges))
	for i, r := range ranges {
		buffers[i] = memory.NewBufferBytes(slices.Clip(o.data[r.Offset:r.End()]))
	}
	return buffers, nil
}
