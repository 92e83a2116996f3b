package index_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/index"
	"lanceflight/lancefmt/pb/tablepb"
	"lanceflight/lancefmt/storage/local"
	"lanceflight/lancefmt/table"
)

func TestKindOf(t *testing.T) {
	for url, want := range map[string]string{
		"":                                       "",
		"/lance.index.pb.VectorIndexDetails":     "VECTOR",
		"/LANCE.TABLE.btreeindexdetails":         "BTREE",
		"/lance.table.FragmentReuseIndexDetails": "FRAGMENT_REUSE",
		"/new.Kind":                              "/new.Kind",
	} {
		require.Equal(t, want, index.KindOf(&table.Index{TypeURL: url}), url)
	}
	for want, details := range map[string]*tablepb.VectorKind{
		"IVF_PQ":        {Compression: &tablepb.VectorKind_Pq{}},
		"IVF_SQ":        {Compression: &tablepb.VectorKind_Sq{}},
		"IVF_RQ":        {Compression: &tablepb.VectorKind_Rq{}},
		"IVF_FLAT":      {Compression: &tablepb.VectorKind_Flat{}},
		"IVF_HNSW_SQ":   {Compression: &tablepb.VectorKind_Sq{}, Hnsw: &tablepb.VectorKind_Present{}},
		"IVF_HNSW_FLAT": {Compression: &tablepb.VectorKind_Flat{}, Hnsw: &tablepb.VectorKind_Present{}},
		"VECTOR":        {Hnsw: &tablepb.VectorKind_Present{}},
	} {
		data, err := proto.Marshal(details)
		require.NoError(t, err)
		require.Equal(t, want, index.KindOf(&table.Index{TypeURL: "/lance.index.pb.VectorIndexDetails", Details: data}))
	}
	require.Equal(t, "VECTOR", index.KindOf(&table.Index{TypeURL: "/lance.index.pb.VectorIndexDetails", Details: []byte{0xff}}))
}

// FuzzVectorDetails reads the details of a vector index: any bytes are one of the kinds of vector indices, and bytes of a
// message say which.
func FuzzVectorDetails(f *testing.F) {
	for _, m := range []*tablepb.VectorKind{
		{}, {Compression: &tablepb.VectorKind_Pq{}}, {Compression: &tablepb.VectorKind_Sq{}}, {Compression: &tablepb.VectorKind_Rq{}},
		{Compression: &tablepb.VectorKind_Flat{}, Hnsw: &tablepb.VectorKind_Present{}},
	} {
		data, err := proto.Marshal(m)
		require.NoError(f, err)
		f.Add(data)
	}
	if dir, ok := fixtures.Dir(); ok {
		store, err := local.Dir(dir)
		require.NoError(f, err)
		manifests, err := filepath.Glob(filepath.Join(dir, "vector_*.lance", "_versions", "*.manifest"))
		require.NoError(f, err)
		for _, path := range manifests {
			name, err := filepath.Rel(dir, path)
			require.NoError(f, err)
			m, err := table.ReadManifest(f.Context(), store, filepath.ToSlash(name))
			require.NoError(f, err)
			for i := range m.Indexes {
				f.Add(m.Indexes[i].Details)
			}
		}
	}
	f.Fuzz(func(t *testing.T, details []byte) {
		name := index.KindOf(&table.Index{TypeURL: "/lance.index.pb.VectorIndexDetails", Details: details})
		kind, ok := index.Find(name)
		require.True(t, ok, name)
		require.True(t, kind.Vector, name)
		m := new(tablepb.VectorKind)
		if proto.Unmarshal(details, m) != nil {
			require.Equal(t, "VECTOR", name)
			return
		}
		require.Equal(t, m.GetHnsw() != nil && m.GetCompression() != nil, strings.Contains(name, "HNSW"), name)
		require.Equal(t, m.GetCompression() == nil, name == "VECTOR", name)
		// What is left out of a message that was read does not change what it says.
		data, err := proto.Marshal(m)
		require.NoError(t, err)
		require.Equal(t, name, index.KindOf(&table.Index{TypeURL: "/lance.index.pb.VectorIndexDetails", Details: data}))
	})
}

// TestKindsOfFixtures compares the kinds that manifests name with what pylance calls them.
func TestKindsOfFixtures(t *testing.T) {
	compared := 0
	for _, path := range fixtures.Glob(t, "*.lance") {
		name := strings.TrimSuffix(filepath.Base(path), ".lance")
		if name == "wide_table" { // whose answers are its rows alone
			continue
		}
		var want struct {
			Versions []struct {
				Version uint64
				Indices []struct{ Name, Type string }
			}
		}
		fixtures.Expected(t, name, &want)
		store, err := local.Dir(path)
		require.NoError(t, err)
		files, err := table.ListVersions(context.Background(), store, "")
		require.NoError(t, err)
		for _, v := range want.Versions {
			i := slices.IndexFunc(files, func(f table.VersionFile) bool { return f.Version == v.Version })
			require.GreaterOrEqual(t, i, 0)
			m, err := table.ReadManifest(context.Background(), store, files[i].Name)
			require.NoError(t, err)
			for _, x := range v.Indices {
				for j := range m.Indexes {
					if m.Indexes[j].Name == x.Name {
						kind := index.KindOf(&m.Indexes[j])
						require.Equal(t, foldKind(x.Type), foldKind(kind), "%s, version %d, %s", name, v.Version, x.Name)
						compared++
					}
				}
			}
		}
	}
	require.Greater(t, compared, 50)
}

// foldKind drops what pylance and SQL write differently.
func foldKind(kind string) string { return strings.ToLower(strings.ReplaceAll(kind, "_", "")) }

func TestKindOfFiles(t *testing.T) {
	list := arrow.ListOf(arrow.PrimitiveTypes.Int64)
	for _, c := range []struct {
		files  []string
		column arrow.DataType
		want   string
	}{
		{[]string{"metadata.lance", "page_lookup.lance"}, nil, "INVERTED"},
		{[]string{"invert.lance"}, nil, "INVERTED"},
		{[]string{"index.idx"}, nil, "VECTOR"},
		{[]string{"bitmap_page_lookup.lance"}, list, "LABEL_LIST"},
		{[]string{"bitmap_page_lookup.lance"}, arrow.PrimitiveTypes.Int64, "BITMAP"},
		{[]string{"bitmap_page_lookup.lance"}, nil, ""},
		{[]string{"page_lookup.lance", "page_data.lance"}, nil, "BTREE"},
		{[]string{"else.lance"}, list, ""},
	} {
		has := map[string]bool{}
		for _, f := range c.files {
			has[f] = true
		}
		require.Equal(t, c.want, index.KindOfFiles(has, c.column), "%v", c.files)
	}
}

// TestKinds holds the statements of kinds against each other.
func TestKinds(t *testing.T) {
	var names []string
	ranks := map[int]string{}
	for _, k := range index.Kinds() {
		require.NotContains(t, names, k.Name)
		names = append(names, k.Name)
		require.NotEmpty(t, k.Details, k.Name)
		require.False(t, k.Vector && k.Open != nil, k.Name)
		if len(k.Ops) == 0 {
			continue
		}
		require.NotNil(t, k.Open, "%s answers questions, so somebody has to open it", k.Name)
		require.NotContains(t, ranks, k.Rank, "%s and %s have one rank", k.Name, ranks[k.Rank])
		ranks[k.Rank] = k.Name
	}
	for _, name := range []string{"BTREE", "BITMAP", "LABEL_LIST", "NGRAM", "ZONEMAP", "BLOOMFILTER", "INVERTED", "VECTOR", "IVF_PQ"} {
		require.True(t, slices.Contains(names, name), name)
	}
	_, known := index.Find("NEW")
	require.False(t, known)

	for version, addresses := range map[int32]bool{0: false, 1: true} {
		m := &table.Index{TypeURL: "/lance.table.BTreeIndexDetails", IndexVersion: version}
		require.Equal(t, addresses, index.HasAddresses(m), version)
	}
	require.True(t, index.HasAddresses(&table.Index{TypeURL: "/lance.table.ZoneMapIndexDetails"}))
	require.False(t, index.HasAddresses(&table.Index{TypeURL: "/lance.table.BitmapIndexDetails"}))
}
