package local

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path"
	"path/filepath"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
)

// Create writes a file beside the name and links it to the name, which fails if the name is taken: an atomic creation
// on every POSIX file system.
func (s *localStore) Create(ctx context.Context, name string) (storage.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	full, err := s.resolve(name)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(full)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, osError("create", path.Dir(name), err)
	}
	var salt [12]byte
	_, _ = rand.Read(salt[:]) // never fails
	temp := filepath.Join(dir, ".tmp-"+hex.EncodeToString(salt[:]))
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, osError("create", name, err)
	}
	return &localWriter{ctx: ctx, name: name, full: full, temp: temp, f: f}, nil
}

type localWriter struct {
	ctx              context.Context
	name, full, temp string
	f                *os.File // nil when done
}

func (w *localWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.f.Write(p)
	if err != nil {
		return n, osError("write", w.name, err)
	}
	return n, nil
}

func (w *localWriter) Commit() error {
	if w.f == nil {
		return fault.New(fault.Internal, "%s is committed or dropped already", w.name)
	}
	defer os.Remove(w.temp)
	f := w.f
	w.f = nil
	err := w.ctx.Err()
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	if err != nil {
		return osError("write", w.name, err)
	}
	if err := os.Link(w.temp, w.full); err != nil {
		return osError("create", w.name, err)
	}
	// The name itself is durable only once the directory is.
	if d, err := os.Open(filepath.Dir(w.full)); err == nil {
		_ = d.Sync() // not every file system can
		d.Close()
	}
	return nil
}

func (w *localWriter) Abort() {
	if w.f != nil {
		w.f.Close()
		w.f = nil
		os.Remove(w.temp)
	}
}
