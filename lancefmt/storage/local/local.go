// Package local is the store of a directory of this machine, whose files are memory-mapped.
//
// The bytes of a mapped file are read from the disk when they are touched; see storage.Guard. A new object is written under
// a temporary name and then linked to its own, so that nobody ever sees half of it.
package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/internal/mmap"
	"lanceflight/lancefmt/storage"
)

// Scheme opens file://PATH, with an empty host or localhost. An absolute path is percent-encoded there.
var Scheme = storage.Scheme{Name: "file", Open: func(_ context.Context, rest string) (storage.Store, error) {
	host, path, _ := strings.Cut(rest, "/")
	if host != "" && host != "localhost" {
		return nil, fault.New(fault.InvalidArgument, "file://%s is not a file URI of this machine", rest)
	}
	path, err := url.PathUnescape("/" + path)
	if err != nil {
		return nil, fault.New(fault.InvalidArgument, "file://%s: %w", rest, err)
	}
	return Dir(filepath.FromSlash(path))
}}

// Options are the knobs of a local store.
type Options struct {
	// DisableMmap reads with pread into buffers of the Go heap: for file systems where a mapping
	// is slower than a read, and for tests of that path.
	DisableMmap bool
}

// Dir opens a directory as a store whose objects are memory-mapped. A missing directory is fault.NotFound.
func Dir(dir string) (storage.Store, error) { return DirWith(dir, Options{}) }

// DirWith is Dir with options.
func DirWith(dir string, opts Options) (storage.Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fault.New(fault.InvalidArgument, "path %q: %w", dir, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, osError("open", abs, err)
	}
	if !info.IsDir() {
		return nil, fault.New(fault.InvalidArgument, "open %s: it is a file; a Lance table is a directory NAME.lance", abs)
	}
	return &localStore{root: abs, opts: opts}, nil
}

// localStore holds no file open, since mappings and descriptors belong to objects.
type localStore struct {
	root string
	opts Options
}

func (s *localStore) URI() string { return s.root }

// resolve turns a name into a path. Names come from manifests, that is from outside, so one that
// leaves the root is refused; links inside the root are the administrator's and are followed.
func (s *localStore) resolve(name string) (string, error) {
	if err := storage.CheckName(name); err != nil {
		return "", err
	}
	return filepath.Join(s.root, filepath.FromSlash(name)), nil
}

func (s *localStore) Open(ctx context.Context, name string, sizeBytes int64) (storage.Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	full, err := s.resolve(name)
	if err != nil {
		return nil, err
	}
	f, info, err := openRegular(full, name)
	if err != nil {
		return nil, err
	}
	size := info.Size()
	if err := storage.CheckSize(name, size, sizeBytes); err != nil {
		f.Close()
		return nil, err
	}
	if size == 0 {
		f.Close()
		return storage.NewBytesObject(name, nil, nil), nil // an empty file cannot be mapped
	}
	if !s.opts.DisableMmap {
		if m, err := mmap.Map(f, size, name); err == nil {
			f.Close()
			return &mappedObject{name: name, size: size, mapped: m}, nil
		}
		// Some file systems cannot map and an address space may be full: read instead.
	}
	return &fileObject{name: name, size: size, file: f}, nil
}

// openRegular opens a regular file. Anything else is refused: to open a FIFO waits for a writer, and to
// open a device may do anything. The first look keeps devices unopened, the flag and the second look
// are for what takes the file's place in between.
func openRegular(full, name string) (f *os.File, info fs.FileInfo, err error) {
	if info, err = os.Stat(full); err == nil {
		err = regular(name, info)
	}
	if err != nil {
		return nil, nil, osError("open", name, err)
	}
	if f, err = os.OpenFile(full, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
		return nil, nil, osError("open", name, err)
	}
	if info, err = f.Stat(); err == nil {
		err = regular(name, info)
	}
	if err != nil {
		f.Close()
		return nil, nil, osError("open", name, err)
	}
	return f, info, nil
}

// regular refuses what is no regular file. For a store, a directory is not there.
func regular(name string, info fs.FileInfo) error {
	what := "something else"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return fault.Place(fault.Corruptf("it is %s, not a regular file", what), name, -1, -1, -1)
}

// RootModified implements storage.RootDater: the file system keeps the time of a directory.
func (s *localStore) RootModified(ctx context.Context) (time.Time, bool, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, false, err
	}
	info, err := os.Stat(s.root)
	if err != nil {
		return time.Time{}, false, osError("stat", s.root, err)
	}
	return info.ModTime(), true, nil
}

// Stat returns size and modification time of a file or a directory.
func (s *localStore) Stat(ctx context.Context, name string) (storage.Info, error) {
	full, err := s.resolve(name)
	if err != nil {
		return storage.Info{}, err
	}
	info, err := os.Stat(full)
	if err != nil {
		return storage.Info{}, osError("stat", name, err)
	}
	return infoOf(name, info), nil
}

func infoOf(name string, info fs.FileInfo) storage.Info {
	return storage.Info{Name: name, SizeBytes: info.Size(), LastModified: info.ModTime(), Identity: identity(info)}
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

func (s *localStore) List(ctx context.Context, prefix string) ([]storage.Info, []string, error) {
	entries, err := s.readDir(ctx, prefix)
	if err != nil {
		return nil, nil, err
	}
	base := storage.ListBase(prefix)
	var objects []storage.Info
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
		objects = append(objects, infoOf(name, info))
	}
	return objects, dirs, nil
}

// ListNames lists files without asking for their sizes: one system call per some hundred names.
func (s *localStore) ListNames(ctx context.Context, prefix string) ([]string, error) {
	entries, err := s.readDir(ctx, prefix)
	if err != nil {
		return nil, err
	}
	base := storage.ListBase(prefix)
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, base+entry.Name())
		}
	}
	return names, nil
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
	if fault.Is(err, fault.Corrupt) {
		return err
	}
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
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ELOOP), errors.Is(err,
		syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL):
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

func (o *fileObject) ReadRanges(ctx context.Context, ranges []storage.Range) ([]*memory.Buffer, error) {
	return storage.ReadCoalesced(ctx, o.name, o.size, ranges, memory.DefaultAllocator, func(p []byte, off int64) error {
		n, err := o.file.ReadAt(p, off)
		if n == len(p) {
			return nil
		}
		if err == nil || errors.Is(err, os.ErrClosed) {
			return fault.New(fault.Internal, "read %s: the object is closed", o.name)
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return osError("read", o.name, err)
		}
		return storage.ShortRead(o.name, off, len(p), n)
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
	mapped *mmap.Mapping // nil once closed
}

func (o *mappedObject) Name() string     { return o.name }
func (o *mappedObject) SizeBytes() int64 { return o.size }

func (o *mappedObject) ReadRanges(ctx context.Context, ranges []storage.Range) ([]*memory.Buffer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, r := range ranges {
		if err := storage.CheckRange(o.name, o.size, r); err != nil {
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
		buffers[i] = o.mapped.Slice(r.Offset, r.Length)
	}
	return buffers, nil
}

func (o *mappedObject) Close() error {
	o.mu.Lock()
	m := o.mapped
	o.mapped = nil
	o.mu.Unlock()
	if m != nil {
		m.Release()
	}
	return nil
}
