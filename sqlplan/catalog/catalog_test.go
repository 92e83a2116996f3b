package catalog

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/local"
	"lanceflight/lancefmt/storage/mem"
	"lanceflight/sqlplan/parse"
)

// link makes a directory of links to fixtures under other names.
func link(t *testing.T, names map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, fixture := range names {
		require.NoError(t, os.Symlink(fixtures.Path(t, fixture), filepath.Join(dir, name)))
	}
	return dir
}

func open(t *testing.T, uris ...string) *Catalog {
	t.Helper()
	c, err := Open(context.Background(), uris, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func table(name string) parse.TableName {
	return parse.TableName{Table: parse.Ident{Name: name}}
}

func quoted(name string) parse.TableName {
	return parse.TableName{Table: parse.Ident{Name: name, Quoted: true}}
}

// names lists the tables of a catalog, with their schema where it is not main.
func names(t *testing.T, c *Catalog) (names []string) {
	t.Helper()
	entries, err := c.Entries(context.Background())
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, Target{Schema: e.Schema, Name: e.Name}.Path())
	}
	return names
}

func TestNames(t *testing.T) {
	dir := link(t, map[string]string{"train.lance": "laion_v2_2.lance", "Test.lance": "tags.lance", "notes.txt": "tags.lance"})
	single := fixtures.Path(t, "tags.lance")
	c := open(t, dir, single, "file://"+dir)
	require.Equal(t, []string{"Test", "tags", "train"}, names(t, c))
}

func TestResolve(t *testing.T) {
	ctx := context.Background()
	c := open(t, link(t, map[string]string{
		"train.lance": "laion_v2_2.lance", "Test.lance": "tags.lance", "test.lance": "tags.lance", "odd@name.lance": "tags.lance",
	}))
	for _, tc := range []struct {
		name    parse.TableName
		want    string
		version uint64
		tag     string
		system  string
	}{
		{name: table("train"), want: "train"},
		{name: table("TRAIN"), want: "train"},
		{name: table("Test"), want: "Test"}, // exact before folded
		{name: quoted("train@5"), want: "train", version: 5},
		{name: quoted("train@gold"), want: "train", tag: "gold"},
		{name: quoted("train$Versions"), want: "train", system: "versions"},
		{name: quoted("odd@name"), want: "odd@name"},
		{name: quoted("odd@name@2"), want: "odd@name", version: 2},
		{name: parse.TableName{Schema: parse.Ident{Name: "MAIN"}, Table: parse.Ident{Name: "train"}}, want: "train"},
		{name: parse.TableName{Schema: parse.Ident{Name: "lance"}, Table: parse.Ident{Name: "train"}}, want: "train"},
		{name: parse.TableName{Catalog: parse.Ident{Name: "lance"}, Schema: parse.Ident{Name: "main"}, Table: parse.Ident{Name: "train"}},
			want: "train"},
	} {
		got, err := c.Resolve(ctx, tc.name)
		require.NoError(t, err, tc.name.Table.Name)
		require.Equal(t, tc.want, got.Name)
		require.Equal(t, tc.version, got.Ref.Version)
		require.Equal(t, tc.tag, got.Ref.Tag)
		require.Equal(t, tc.system, got.System)
		require.Equal(t, tc.version != 0 || tc.tag != "", got.HasRef)
	}
	for _, tc := range []struct {
		name parse.TableName
		kind fault.Kind
		text string
	}{
		{quoted("TRAIN"), fault.NotFound, `no table is called "TRAIN"; did you mean "train"?`},
		{table("trian"), fault.NotFound, `did you mean "train"?`},
		{table("zebra"), fault.NotFound, `tables: Test, odd@name, test, train`},
		{table("TEST"), fault.InvalidArgument, `ambiguous: it matches "Test" and "test"`},
		{parse.TableName{Schema: parse.Ident{Name: "public"}, Table: parse.Ident{Name: "train"}}, fault.NotFound, `no schema is called "public"`},
		{parse.TableName{Catalog: parse.Ident{Name: "pg"}, Schema: parse.Ident{Name: "main"}, Table: parse.Ident{Name: "train"}},
			fault.NotFound, `no catalog is called "pg"`},
	} {
		_, err := c.Resolve(ctx, tc.name)
		require.ErrorContains(t, err, tc.text)
		require.True(t, fault.Is(err, tc.kind), tc.text)
	}
	_, err := c.Lookup(ctx, quoted("train@5"))
	require.ErrorContains(t, err, "a part or a version of table")
	one, err := c.Lookup(ctx, table("train"))
	require.NoError(t, err)
	two, err := c.Lookup(ctx, table("Train"))
	require.NoError(t, err)
	require.Same(t, one, two)
}

func TestNewTablesAppear(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	require.Empty(t, names(t, c))
	require.NoError(t, os.Symlink(fixtures.Path(t, "tags.lance"), filepath.Join(dir, "late.lance")))
	_, err := c.Lookup(context.Background(), table("late"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "late.lance")))
	_, err = c.Lookup(context.Background(), table("late"))
	require.True(t, fault.Is(err, fault.NotFound))
}

// What the catalog does with directories it does with any store that lists them.
func TestTablesInMemory(t *testing.T) {
	ctx := context.Background()
	lake, withdraw := mem.Publish("lake")
	defer withdraw()
	fill := func(name string) {
		source, err := local.Dir(fixtures.Path(t, "tags.lance"))
		require.NoError(t, err)
		for _, dir := range []string{"_versions/", "data/"} {
			files, err := storage.ListNames(ctx, source, dir)
			require.NoError(t, err)
			for _, file := range files {
				data, err := storage.ReadAll(ctx, source, file, 1<<30)
				require.NoError(t, err)
				require.NoError(t, lake.PutIfAbsent(ctx, name+"/"+file, data))
			}
		}
	}
	fill("deep/a.lance")
	lake.Put("deep/notes.txt", nil)
	lake.Put("deep/empty.lance/data/x", nil)
	c := open(t, "memory://lake/deep")
	require.Equal(t, []string{"a"}, names(t, c))
	fill("deep/b.lance")
	b, err := c.Lookup(ctx, table("b"))
	require.NoError(t, err)
	require.Equal(t, "memory://lake/deep/b.lance", b.URI())
	snapshot, err := b.Snapshot(ctx, lancefmt.Ref{})
	require.NoError(t, err)
	require.NotEmpty(t, snapshot.Fragments())

	single := open(t, "memory://lake/deep/a.lance")
	require.Equal(t, []string{"a"}, names(t, single))
	_, err = Open(ctx, []string{"memory://sea"}, Options{})
	require.True(t, fault.Is(err, fault.NotFound))
	_, err = Open(ctx, []string{"memory://lake/deep/empty.lance"}, Options{})
	require.ErrorContains(t, err, "no _versions directory")
}

// A list is kept while the directory's time stands still, and made anew when it moves.
func TestListIsKept(t *testing.T) {
	dir := link(t, map[string]string{"a.lance": "tags.lance"})
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(dir, old, old))
	store, err := local.Dir(dir)
	require.NoError(t, err)
	d := &directory{store: store}
	first, err := d.list(context.Background())
	require.NoError(t, err)
	require.Len(t, first.entries, 1)
	at := d.listedAt
	_, err = d.list(context.Background())
	require.NoError(t, err)
	require.Equal(t, at, d.listedAt, "listed again without need")
	require.NoError(t, os.Symlink(fixtures.Path(t, "tags.lance"), filepath.Join(dir, "b.lance")))
	second, err := d.list(context.Background())
	require.NoError(t, err)
	require.Len(t, second.entries, 2)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file.lance")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	empty := filepath.Join(dir, "empty.lance")
	require.NoError(t, os.Mkdir(empty, 0o755))
	one := link(t, map[string]string{"a.lance": "tags.lance"})
	two := link(t, map[string]string{"a.lance": "laion_v2_2.lance"})
	for _, tc := range []struct {
		uris []string
		kind fault.Kind
		text string
	}{
		{[]string{filepath.Join(dir, "missing")}, fault.NotFound, "no such directory"},
		{[]string{file}, fault.InvalidArgument, "it is a file"},
		{[]string{empty}, fault.InvalidArgument, "no _versions directory"},
		{[]string{"s3://bucket/x"}, fault.Unsupported, "not supported: storage s3://"},
		{[]string{"file://elsewhere/x"}, fault.InvalidArgument, "not a file URI of this machine"},
		{[]string{one, two}, fault.InvalidArgument, `two tables are called "a"`},
	} {
		_, err := Open(context.Background(), tc.uris, Options{})
		require.ErrorContains(t, err, tc.text)
		require.True(t, fault.Is(err, tc.kind), tc.text)
	}
}

func TestNearest(t *testing.T) {
	columns := []string{"caption", "NSFW", "similarity", "width", "height", "original_width", "img_emb"}
	for want, got := range map[string][]string{
		"captoin":  {"caption"},
		"nfsw":     {"NSFW"},
		"hieght":   {"height"}, //nolint:misspell // a typing error on purpose
		"sim":      {"similarity"},
		"img_embs": {"img_emb"},
		"zzz":      {},
	} {
		require.Equal(t, got, Nearest(want, columns), want)
	}
	require.Equal(t, []string{"evolve"}, Nearest("evolv", []string{"evolve", "Ünï"}))
	require.Equal(t, `; did you mean "width"?`, Hint("widht", columns, "columns"))
	require.Equal(t, "; there are no tables", Hint("x", nil, "tables"))
}
