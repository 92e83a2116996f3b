package local

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fault"
	"lanceflight/internal/mmap"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func TestConformance(t *testing.T) {
	for name, opts := range map[string]Options{"mapped": {}, "pread": {DisableMmap: true}} {
		t.Run(name, func(t *testing.T) {
			storagetest.Run(t, func(t *testing.T) storage.Store {
				s, err := DirWith(t.TempDir(), opts)
				require.NoError(t, err)
				return s
			})
		})
	}
}

func TestTruncatedMappingIsAnError(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	page := int64(os.Getpagesize())
	require.NoError(t, os.WriteFile(path, storagetest.Sample(int(8*page)), 0o666))
	s, err := Dir(dir)
	require.NoError(t, err)
	o, err := s.Open(ctx, "f", -1)
	require.NoError(t, err)
	buffers, err := o.ReadRanges(ctx, []storage.Range{{Offset: 0, Length: 8 * page}})
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, page))

	var sum int
	touch := func() error {
		for _, b := range buffers[0].Bytes() {
			sum += int(b)
		}
		return nil
	}
	err = storage.Guard(func() error { return storage.Guard(touch) })
	var corrupt *fault.CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.Equal(t, "f", corrupt.File)
	require.Contains(t, corrupt.Msg, "cut the file")

	// Also inside the runtime's own memory moves.
	err = storage.Guard(func() error {
		sum += len(append([]byte(nil), buffers[0].Bytes()...))
		return nil
	})
	require.ErrorAs(t, err, &corrupt)

	require.NoError(t, os.Remove(path))
	require.Equal(t, fault.Unavailable, fault.KindOf(storage.Guard(touch)))
	buffers[0].Release()
	require.NoError(t, o.Close())
	require.Zero(t, mmap.Open())
	runtime.KeepAlive(sum)
}

func TestShortFileUnderPread(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(path, storagetest.Sample(1000), 0o666))
	s, err := DirWith(dir, Options{DisableMmap: true})
	require.NoError(t, err)
	o, err := s.Open(ctx, "f", -1)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, 500))
	_, err = o.ReadRanges(ctx, []storage.Range{{Offset: 400, Length: 200}})
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
	require.ErrorContains(t, err, "100 of 200 bytes")
	require.NoError(t, o.Close())
	_, err = o.ReadRanges(ctx, []storage.Range{{Offset: 0, Length: 1}})
	require.Equal(t, fault.Internal, fault.KindOf(err))
}

func TestKindsOfTheOperatingSystem(t *testing.T) {
	for errno, kind := range map[syscall.Errno]fault.Kind{
		syscall.ENOENT: fault.NotFound, syscall.ENOTDIR: fault.NotFound,
		syscall.EACCES: fault.PermissionDenied, syscall.EPERM: fault.PermissionDenied,
		syscall.EEXIST: fault.AlreadyExists,
		syscall.EIO:    fault.Unavailable, syscall.ESTALE: fault.Unavailable,
		syscall.ETIMEDOUT: fault.Unavailable, syscall.EMFILE: fault.Unavailable,
		syscall.EISDIR: fault.InvalidArgument, syscall.ELOOP: fault.InvalidArgument,
		syscall.ENAMETOOLONG: fault.InvalidArgument, syscall.EINVAL: fault.InvalidArgument,
		syscall.ENOSPC: fault.ResourceExhausted, syscall.EROFS: fault.PermissionDenied,
	} {
		require.Equal(t, kind, fault.KindOf(osError("read", "x", errno)), "%v", errno)
	}
}
