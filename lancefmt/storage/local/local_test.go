package local

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

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

// TestWhatIsNoFileIsRefused opens what would wait for a writer, or is no file at all.
func TestWhatIsNoFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	require.NoError(t, err)
	defer listener.Close()
	require.NoError(t, os.Symlink("/dev/null", filepath.Join(dir, "device")))
	require.NoError(t, os.Symlink("fifo", filepath.Join(dir, "link")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	s, err := Dir(dir)
	require.NoError(t, err)
	for name, what := range map[string]string{"fifo": "a named pipe", "socket": "a socket", "device": "a device", "link": "a named pipe"} {
		_, err := s.Open(ctx, name, -1)
		var corrupt *fault.CorruptError
		require.ErrorAs(t, err, &corrupt, name)
		require.Equal(t, name, corrupt.File)
		require.Contains(t, corrupt.Msg, what)
	}
	_, err = s.Open(ctx, "folder", -1)
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	// A named pipe where a folder is expected has nothing in it.
	objects, _, err := s.List(ctx, "fifo/")
	require.True(t, err == nil && len(objects) == 0 || fault.Is(err, fault.NotFound), "%v", err)
}

// A file that takes the place of another is told from it, also where size and time are the same.
func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	s, err := Dir(dir)
	require.NoError(t, err)
	at := time.Unix(1_700_000_000, 0)
	var seen []storage.Info
	for i := range 3 {
		require.NoError(t, os.WriteFile(path, []byte{byte(i)}, 0o666))
		require.NoError(t, os.Chtimes(path, at, at))
		info, err := storage.Stat(ctx, s, "f")
		require.NoError(t, err)
		same, err := storage.Stat(ctx, s, "f")
		require.NoError(t, err)
		require.Equal(t, info, same)
		require.NotContains(t, seen, info)
		seen = append(seen, info)
		require.NoError(t, os.Remove(path))
		time.Sleep(20 * time.Millisecond) // the resolution of a file system's times
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
