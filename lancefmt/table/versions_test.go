package table

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage/faulty"
	"lanceflight/lancefmt/storage/local"
	"lanceflight/lancefmt/storage/mem"
)

func TestTrackerSeesWhatOthersDo(t *testing.T) {
	dir := t.TempDir()
	store, err := local.Dir(dir)
	require.NoError(t, err)
	for _, naming := range []Naming{NamingV1, NamingV2} {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "_versions")))
		tracker := NewTracker(store, "")
		_, _, err = tracker.Latest(ctx)
		require.Equal(t, fault.NotFound, fault.KindOf(err))
		latest := func() uint64 {
			t.Helper()
			f, info, err := tracker.Latest(ctx)
			require.NoError(t, err)
			again, sameInfo, err := tracker.Latest(ctx)
			require.NoError(t, err)
			require.Equal(t, f, again)
			require.Equal(t, info, sameInfo)
			return f.Version
		}
		commit := func(v uint64) { require.NoError(t, store.PutIfAbsent(ctx, naming.ManifestName(v), []byte{byte(v)})) }
		remove := func(v uint64) { require.NoError(t, os.Remove(filepath.Join(dir, naming.ManifestName(v)))) }
		for v := range uint64(12) {
			commit(v + 1)
			require.Equal(t, v+1, latest())
		}
		// Others commit twice and clean up what is between; the one that we know stays.
		commit(13)
		commit(14)
		remove(13)
		require.Equal(t, uint64(14), latest())
		// Files that are not manifests of the history do not count.
		for _, name := range []string{"latest_version_hint.json", "d9223372036854775899.manifest", ".tmp-1234", "99.manifest.tmp"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "_versions", name), []byte(`{"version":99}`), 0o666))
		}
		require.Equal(t, uint64(14), latest())
		// The table is removed and made anew.
		_, before, err := tracker.Latest(ctx)
		require.NoError(t, err)
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "_versions")))
		_, _, err = tracker.Latest(ctx)
		require.Equal(t, fault.NotFound, fault.KindOf(err))
		commit(14)
		require.NoError(t, os.Chtimes(filepath.Join(dir, naming.ManifestName(14)), time.Time{}, time.Now().Add(time.Hour)))
		_, after, err := tracker.Latest(ctx)
		require.NoError(t, err)
		require.NotEqual(t, before, after)
	}
	// Names are migrated: both exist for a while.
	for v := range uint64(3) {
		require.NoError(t, store.PutIfAbsent(ctx, NamingV1.ManifestName(v+13), nil))
	}
	files, err := ListVersions(ctx, store, "")
	require.NoError(t, err)
	require.Len(t, files, 3)
	require.Equal(t, []Naming{NamingV1, NamingV2, NamingV1}, []Naming{files[0].Naming, files[1].Naming, files[2].Naming})
}

func TestTrackerOfStoresWithoutFolders(t *testing.T) {
	store := mem.New()
	tracker := NewTracker(store, "tree/x/")
	order := rand.New(rand.NewPCG(1, 2)).Perm(50)
	top := uint64(0)
	for _, v := range order {
		store.Put("tree/x/"+NamingV2.ManifestName(uint64(v)+1), nil)
		top = max(top, uint64(v)+1)
		f, _, err := tracker.Latest(ctx)
		require.NoError(t, err)
		require.Equal(t, top, f.Version)
	}
	failing := faulty.Wrap(store)
	_, _, err := NewTracker(failing, "").Latest(ctx)
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}

func TestRefs(t *testing.T) {
	store := mem.New()
	store.Put("_refs/tags/a.json", []byte(`{"version":3,"branch":"x/y","createdAt":"2026-01-02T03:04:05.678+01:00","metadata":{"k":"v"}}`))
	store.Put("_refs/tags/a.json.tmp", []byte(`nonsense`))
	store.Put("_refs/branches/x%2Fy.json", []byte(`{"parentBranch":"main2","parentVersion":2,"createAt":1795336646}`))
	tags, err := Tags(ctx, store)
	require.NoError(t, err)
	require.Equal(t, map[string]Tag{"a": {Version: 3, Branch: "x/y", Metadata: map[string]string{"k": "v"},
		CreatedAt: time.Date(2026, 1, 2, 2, 4, 5, 678e6, time.UTC)}}, tags)
	branches, err := Branches(ctx, store)
	require.NoError(t, err)
	require.Equal(t, Branch{Parent: "main2", ParentVersion: 2, CreatedAt: time.Unix(1795336646, 0).UTC()}, branches["x/y"])
	b, err := ReadBranch(ctx, store, "x/y")
	require.NoError(t, err)
	require.Equal(t, branches["x/y"], b)
	require.Equal(t, "tree/x/y/", BranchDir("x/y"))

	for _, bad := range []string{"", "../a", "/a", "a/", "a//b", `a\b`, "a.lock", "a\x00"} {
		_, err := ReadTag(ctx, store, bad)
		require.Equal(t, fault.InvalidArgument, fault.KindOf(err), "%q", bad)
	}
	_, err = ReadTag(ctx, store, "b")
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	for _, data := range []string{"", "{}", "[]", `{"version":0}`, `{"version":-1}`, `{"version":1,"branch":"../x"}`,
		`{"version":1,"createdAt":"yesterday"}`} {
		store.Put("_refs/tags/b.json", []byte(data))
		_, err := ReadTag(ctx, store, "b")
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "%s", data)
		require.ErrorContains(t, err, "_refs/tags/b.json")
		_, err = Tags(ctx, store)
		require.Equal(t, fault.Corrupt, fault.KindOf(err))
	}
	store.Put("_refs/branches/z.json", []byte("x"))
	_, err = Branches(ctx, store)
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
}

func FuzzRefs(f *testing.F) {
	f.Add([]byte(`{"version":3,"branch":"x/y","createdAt":"2026-01-02T03:04:05.678+01:00","metadata":{"k":"v"}}`))
	f.Add([]byte(`{"parentBranch":"main2","identifier":{"version_mapping":[[1,"04ee"]]},"parentVersion":2,"createAt":1795336646}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if tag, err := DecodeTag(data); err == nil {
			require.NotZero(t, tag.Version)
		} else {
			require.Equal(t, fault.Corrupt, fault.KindOf(err))
		}
		if _, err := DecodeBranch(data); err != nil {
			require.Equal(t, fault.Corrupt, fault.KindOf(err))
		}
	})
}
