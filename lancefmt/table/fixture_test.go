package table

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/internal/mmap"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/local"
)

var ctx = context.Background()

// answers is the part of NAME.expected.json that a manifest answers.
type answers struct {
	LatestVersion  uint64 `json:"latest_version"`
	StorageVersion string `json:"data_storage_version"`
	StableRowIDs   bool   `json:"stable_row_ids"`
	Versions       []struct {
		Version   uint64
		Rows      int64
		Fragments []struct {
			ID           uint32
			PhysicalRows int64 `json:"physical_rows"`
			Rows         int64
			Files        []struct {
				Path          string
				Fields        []int32
				ColumnIndices []int32 `json:"column_indices"`
				Major         uint32  `json:"file_major_version"`
				Minor         uint32  `json:"file_minor_version"`
			}
			DeletionFile *struct {
				FileType       string `json:"file_type"`
				ReadVersion    uint64 `json:"read_version"`
				ID             uint64
				NumDeletedRows int64 `json:"num_deleted_rows"`
			} `json:"deletion_file"`
			DeletionPath string `json:"deletion_path"`
			HasRowIDMeta bool   `json:"has_row_id_meta"`
		}
		Indices []struct {
			Name, Type string
			TypeURL    string `json:"type_url"`
			Fields     []string
			Segments   []struct {
				UUID           string
				FragmentIDs    []uint32 `json:"fragment_ids"`
				DatasetVersion uint64   `json:"dataset_version"`
				IndexVersion   int32    `json:"index_version"`
			}
		}
		SchemaMetadata map[string]string `json:"schema_metadata"`
	}
	Tags map[string]struct {
		Version uint64
		Branch  string
	}
	Branches map[string]struct {
		ParentBranch  string `json:"parent_branch"`
		ParentVersion uint64 `json:"parent_version"`
	}
	Config        map[string]string
	TableMetadata map[string]string `json:"table_metadata"`
}

func tables(t *testing.T) []string {
	var names []string
	for _, path := range fixtures.Glob(t, "*.lance") {
		names = append(names, strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".lance"))
	}
	require.Greater(t, len(names), 50)
	return names
}

func openFixture(t testing.TB, name string) storage.Store {
	store, err := local.Dir(fixtures.Path(t, name))
	require.NoError(t, err)
	return store
}

func TestManifestsOfFixtures(t *testing.T) {
	for _, name := range tables(t) {
		t.Run(name, func(t *testing.T) {
			var want answers
			fixtures.Expected(t, name, &want)
			store := openFixture(t, name+".lance")
			files, err := ListVersions(ctx, store, "")
			require.NoError(t, err)
			byVersion := make(map[uint64]string)
			for _, f := range files {
				byVersion[f.Version] = f.Name
			}
			latest, _, err := NewTracker(store, "").Latest(ctx)
			require.NoError(t, err)
			if name == "wide_table" { // whose answers are its rows alone
				want.LatestVersion, want.StorageVersion = 1, "2.2"
			}
			require.Equal(t, want.LatestVersion, latest.Version)

			var m *Manifest
			for _, v := range want.Versions {
				require.Contains(t, byVersion, v.Version)
				m, err = ReadManifest(ctx, store, byVersion[v.Version])
				require.NoError(t, err)
				require.Equal(t, v.Version, m.Version)
				require.False(t, m.Timestamp.IsZero())
				require.NotEmpty(t, m.Operation)
				require.True(t, strings.HasPrefix(m.Writer, "lance 14."), m.Writer)
				if len(v.SchemaMetadata) > 0 {
					require.Equal(t, v.SchemaMetadata, m.Schema.Metadata)
				} else {
					require.Empty(t, m.Schema.Metadata)
				}
				require.Len(t, m.Fragments, len(v.Fragments))
				for i, f := range v.Fragments {
					got := m.Fragments[i]
					where := fmt.Sprintf("version %d fragment %d", v.Version, f.ID)
					require.Equal(t, f.ID, got.ID, where)
					require.Equal(t, f.PhysicalRows, got.PhysicalRows, where)
					require.Equal(t, f.HasRowIDMeta, got.RowIDs.Stored(), where)
					require.Len(t, got.Files, len(f.Files))
					for j, file := range f.Files {
						g := got.Files[j]
						require.Equal(t, file.Path, g.Path, where)
						require.Equal(t, file.Fields, g.Fields, where)
						require.Equal(t, file.Major, g.Major, where)
						require.Equal(t, file.Minor, g.Minor, where)
						if !g.Legacy() {
							require.Equal(t, file.ColumnIndices, g.ColumnIndices, where)
						}
					}
					rows := f.PhysicalRows
					if f.DeletionFile == nil {
						require.Nil(t, got.Deletions, where)
					} else {
						require.Equal(t, f.DeletionFile.NumDeletedRows, got.Deletions.NumDeleted, where)
						path := DeletionName(got.ID, *got.Deletions)
						require.True(t, strings.HasSuffix(f.DeletionPath, path), "%s: %s, not %s", where, path, f.DeletionPath)
						deleted, err := ReadDeletions(ctx, store, path, *got.Deletions, got.PhysicalRows)
						require.NoError(t, err, where)
						rows -= int64(deleted.GetCardinality())
					}
					require.Equal(t, f.Rows, rows, where)
				}
				if name == "compacted_deferred_remap" && v.Version == 6 {
					// pylance shows the bitmaps as its fragment reuse index maps them; these are
					// the bitmaps that are stored.
					require.Len(t, m.Indexes, 3)
					require.True(t, m.Indexes[2].IsFragmentReuse())
				} else {
					require.Equal(t, indexesOf(v.Indices), gotIndexes(m), "version %d", v.Version)
				}
				if want.StorageVersion < "2.4" {
					require.NoError(t, m.Readable())
				} else {
					require.Equal(t, fault.Unsupported, fault.KindOf(m.Readable()))
				}
			}
			if m == nil {
				m, err = ReadManifest(ctx, store, latest.Name)
				require.NoError(t, err)
			}
			require.Equal(t, want.StorageVersion, m.StorageVersion)
			require.Equal(t, want.StableRowIDs, m.HasStableRowIDs())
			require.True(t, maps.Equal(want.Config, m.Config), "config %v", m.Config)
			if want.TableMetadata != nil {
				require.Equal(t, want.TableMetadata, m.TableMetadata)
			}

			tags, err := Tags(ctx, store)
			require.NoError(t, err)
			require.Len(t, tags, len(want.Tags))
			for name, tag := range want.Tags {
				require.Equal(t, tag.Version, tags[name].Version)
				require.Equal(t, tag.Branch, tags[name].Branch)
				require.False(t, tags[name].CreatedAt.IsZero())
				one, err := ReadTag(ctx, store, name)
				require.NoError(t, err)
				require.Equal(t, tags[name], one)
			}
			branches, err := Branches(ctx, store)
			require.NoError(t, err)
			require.Len(t, branches, len(want.Branches))
			for name, branch := range want.Branches {
				require.Equal(t, branch.ParentVersion, branches[name].ParentVersion)
				require.Equal(t, branch.ParentBranch, branches[name].Parent)
				one, err := ReadBranch(ctx, store, name)
				require.NoError(t, err)
				require.Equal(t, branches[name], one)
			}
		})
	}
	require.Zero(t, mmap.Open())
}

// indexesOf lists one line per index segment.
func indexesOf(want []struct {
	Name, Type string
	TypeURL    string `json:"type_url"`
	Fields     []string
	Segments   []struct {
		UUID           string
		FragmentIDs    []uint32 `json:"fragment_ids"`
		DatasetVersion uint64   `json:"dataset_version"`
		IndexVersion   int32    `json:"index_version"`
	}
}) []string {
	lines := []string{}
	for _, x := range want {
		for _, s := range x.Segments {
			lines = append(lines, fmt.Sprint(x.Name, x.Fields, x.TypeURL, s.UUID, s.FragmentIDs, s.DatasetVersion, s.IndexVersion))
		}
	}
	slices.Sort(lines)
	return lines
}

func gotIndexes(m *Manifest) []string {
	lines := []string{}
	for i := range m.Indexes {
		x := &m.Indexes[i]
		var fields []string
		for _, id := range x.Fields {
			path, _ := m.Schema.Path(id)
			fields = append(fields, path)
		}
		ids := []uint32{}
		if x.Fragments != nil {
			ids = x.Fragments.ToArray()
		}
		lines = append(lines, fmt.Sprint(x.Name, fields, x.TypeURL, x.UUID, ids, x.DatasetVersion, x.IndexVersion))
	}
	slices.Sort(lines)
	return lines
}
