package sqlplan_test

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/lancefmt/pb/tablepb"
	"lanceflight/lancefmt/table"
)

// reuseFragments makes of a table with stable row ids one whose last compaction put the rewriting of indices off, which releases of
// pylance refuse to do: it takes the fragment reuse index of a twin without stable row ids, which had the same past, and gives the
// indices of row addresses the segments that they had before the compaction.
func reuseFragments(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path + ".before")
	require.NoError(t, err)
	before, err := strconv.ParseUint(string(text), 10, 64)
	require.NoError(t, err)
	old := readRawManifest(t, path, before)
	twin := readRawManifest(t, path+".twin", 0)
	now := readRawManifest(t, path, 0)
	addresses := func(x *tablepb.IndexMetadata) bool {
		m := table.Index{TypeURL: x.GetIndexDetails().GetTypeUrl(), IndexVersion: x.GetIndexVersion()}
		return index.HasAddresses(&m)
	}
	list := slices.DeleteFunc(now.indexes.Indices, addresses)
	require.NotEmpty(t, list)
	n := len(list)
	for _, x := range old.indexes.Indices {
		if addresses(x) {
			list = append(list, x)
		}
	}
	require.Greater(t, len(list), n)
	n = len(list)
	for _, x := range twin.indexes.Indices {
		if x.Name == "__lance_frag_reuse" {
			list = append(list, x)
		}
	}
	require.Len(t, list, n+1)
	now.indexes.Indices = list
	now.manifest.ReaderFeatureFlags |= table.FlagStableIDReuse
	now.manifest.WriterFeatureFlags |= table.FlagStableIDReuse
	now.write(t)

	tab, err := lancefmt.Open(context.Background(), path, lancefmt.Options{})
	require.NoError(t, err)
	defer tab.Close()
	snap, err := tab.Snapshot(context.Background(), lancefmt.Ref{})
	require.NoError(t, err)
	moved := snap.Fragments()[0].ID()
	covers := map[bool]int{}
	for _, x := range snap.Indexes() {
		require.NoError(t, x.Err)
		if x.Fragments.Contains(moved) && x.Kind != "FRAGMENT_REUSE" {
			covers[x.Remap != nil]++
		}
	}
	require.Greater(t, covers[true], 2, "indices of row addresses over the compacted fragment")
	require.Greater(t, covers[false], 4, "indices of row ids over it")
}

// rawManifest is a manifest file as its messages, with the fields that are not ours.
type rawManifest struct {
	path     string
	head     []byte // what comes before the manifest
	manifest *tablepb.Manifest
	indexes  *tablepb.IndexSection
	footer   []byte
}

// readRawManifest reads the manifest of a version, 0 is the newest.
func readRawManifest(t *testing.T, dir string, version uint64) *rawManifest {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "_versions", "*.manifest"))
	require.NoError(t, err)
	slices.Sort(names)
	x := &rawManifest{manifest: new(tablepb.Manifest), indexes: new(tablepb.IndexSection)}
	for _, name := range names { // the newest is the first
		n, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(name), ".manifest"), 10, 64)
		require.NoError(t, err)
		if version == 0 || ^n == version {
			x.path = name
			break
		}
	}
	file, err := os.ReadFile(x.path)
	require.NoError(t, err)
	x.footer = file[len(file)-16:]
	section := func(at uint64, m proto.Message) {
		n := binary.LittleEndian.Uint32(file[at:])
		require.NoError(t, proto.Unmarshal(file[at+4:][:n], m))
	}
	at := binary.LittleEndian.Uint64(x.footer)
	section(at, x.manifest)
	section(x.manifest.GetIndexSection(), x.indexes)
	x.head = file[:at]
	return x
}

func (x *rawManifest) write(t *testing.T) {
	t.Helper()
	file := slices.Clone(x.head)
	add := func(m proto.Message) uint64 {
		at := uint64(len(file))
		data, err := proto.Marshal(m)
		require.NoError(t, err)
		file = append(binary.LittleEndian.AppendUint32(file, uint32(len(data))), data...)
		return at
	}
	indexes := add(x.indexes)
	x.manifest.IndexSection = &indexes
	file = binary.LittleEndian.AppendUint64(file, add(x.manifest))
	require.NoError(t, os.WriteFile(x.path, append(file, x.footer[8:]...), 0o644))
}
