package inspect

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// Summary is a version of a table at a glance.
type Summary struct {
	Table          string            `json:"table"`
	Version        uint64            `json:"version"`
	Branch         string            `json:"branch,omitempty"`
	Timestamp      time.Time         `json:"timestamp"`
	Writer         string            `json:"writer,omitempty"`
	Operation      string            `json:"operation,omitempty"`
	StorageVersion string            `json:"storage_version"`
	StableRowIDs   bool              `json:"stable_row_ids"`
	ReaderFlags    uint64            `json:"reader_flags"`
	WriterFlags    uint64            `json:"writer_flags"`
	Rows           int64             `json:"rows"`
	Deleted        int64             `json:"deleted"`
	Fragments      int               `json:"fragments"`
	DataFiles      int               `json:"data_files"`
	DataBytes      int64             `json:"data_bytes"` // of data and deletion files
	Fields         int               `json:"fields"`     // top-level columns
	Versions       int               `json:"versions"`
	Tags           int               `json:"tags"`
	Branches       int               `json:"branches"`
	ManifestBytes  int64             `json:"manifest_bytes"`
	Transaction    string            `json:"transaction,omitempty"` // file below _transactions/
	BasePaths      []BaseReport      `json:"base_paths,omitempty"`
	Config         map[string]string `json:"config,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`

	Schema    *SchemaReport  `json:"schema"`
	Columns   *ColumnsReport `json:"columns"`
	IndexList *IndexesReport `json:"indexes"`
}

// BaseReport is a folder outside of the table, or of the table that a branch was made from, where files may lie.
type BaseReport struct {
	ID   uint32 `json:"id"`
	Name string `json:"name,omitempty"`
	Path string `json:"path"`
	// IsTable says that it is the folder of a table: data files lie in data/ below it, else in it.
	IsTable bool `json:"is_table"`
}

// Summarize reports a version at a glance: numbers, schema, what columns take, indices.
func Summarize(ctx context.Context, s *lancefmt.Snapshot) (*Summary, error) {
	m, t := s.Manifest(), s.Table()
	r := &Summary{Table: t.Name(), Version: s.Version(), Branch: s.Branch(), Timestamp: s.Timestamp(),
		Writer: s.Writer(), Operation: m.Operation,
		StorageVersion: s.StorageVersion(), StableRowIDs: s.HasStableRowIDs(), ReaderFlags: m.ReaderFlags, WriterFlags: m.WriterFlags,
		Rows: s.NumRows(), Fragments: len(s.Fragments()), Fields: len(s.Fields()), ManifestBytes: m.SizeBytes, Transaction: m.TransactionFile,
		Config: s.Config(), Metadata: s.Metadata(), Schema: Schema(s)}
	fragments, err := Fragments(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, f := range fragments.Fragments {
		r.Deleted += f.Deleted
		r.DataFiles += len(f.Files)
		for _, d := range f.Files {
			r.DataBytes += max(d.Bytes, 0)
		}
		if f.Deletions != nil {
			r.DataBytes += max(f.Deletions.Bytes, 0)
		}
	}
	for _, b := range m.Bases {
		r.BasePaths = append(r.BasePaths, BaseReport{b.ID, b.Name, b.Path, b.IsDatasetRoot})
	}
	// Listing is enough: one damaged version must not hide the others.
	dir := ""
	if s.Branch() != "" {
		dir = table.BranchDir(s.Branch())
	}
	versions, err := table.ListVersions(ctx, t.Store(), dir)
	if err != nil {
		return nil, err
	}
	r.Versions = len(versions)
	for _, refs := range []struct {
		dir string
		n   *int
	}{{table.TagsDir, &r.Tags}, {table.BranchesDir, &r.Branches}} {
		names, err := storage.ListNames(ctx, t.Store(), refs.dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".json") {
				*refs.n++
			}
		}
	}
	if r.Columns, err = Columns(ctx, s, false); err != nil {
		return nil, err
	}
	r.IndexList, err = Indexes(ctx, s)
	return r, err
}

// flagNames are what feature flags are about.
var flagNames = []struct {
	flag uint64
	name string
}{{table.FlagDeletionFiles, "deletions"}, {table.FlagStableRowIDs, "stable row ids"}, {table.FlagV2Format,
	"v2"}, {table.FlagTableConfig, "config"},
	{table.FlagBasePaths, "base paths"}, {table.FlagNoTransactionFile, "no transaction file"}, {table.FlagDataOverlays, "overlays"},
	{table.FlagCoveringColumns, "covering columns"}, {table.FlagMixedFileVersions,
		"mixed file versions"}, {table.FlagStableIDReuse, "stable id reuse"},
	{table.FlagFragmentReuse, "fragment reuse"}, {table.FlagSpilledLineage, "spilled lineage"}, {table.FlagFragmentTree, "fragment tree"},
	{table.FlagIndependentCovering, "independent covering"}, {table.FlagManagedBlobs,
		"managed blobs"}, {table.FlagNonReusableFieldIDs, "field ids not reused"},
	{table.FlagZoneSeeds, "zone seeds"}, {table.FlagObjectMetadata, "object metadata"}}

// flags renders feature flags: the number, then what they are about.
func flags(set uint64) string {
	var names []string
	for _, f := range flagNames {
		if set&f.flag != 0 {
			names = append(names, f.name)
			set &^= f.flag
		}
	}
	text := "none"
	if set != 0 {
		names = append(names, fmt.Sprintf("unknown %#x", set))
	}
	if len(names) > 0 {
		text = strings.Join(names, " + ")
	}
	return text
}

// WriteText implements Report.
func (r *Summary) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "table %s, version %d", r.Table, r.Version)
	if r.Branch != "" {
		fmt.Fprintf(w, " of branch %s", r.Branch)
	}
	fmt.Fprintf(w, ", storage version %s\n", r.StorageVersion)
	fmt.Fprintf(w, "committed %s by %s (%s)\n", stamp(r.Timestamp), r.Writer, r.Operation)
	fmt.Fprintf(w, "%s, %d deleted, in %s with %s of %s\n", count(r.Rows, "row"), r.Deleted, count(int64(r.Fragments), "fragment"),
		count(int64(r.DataFiles), "data file"), size(r.DataBytes))
	fmt.Fprintf(w, "%s, %s, %s; reader flags %s, writer flags %s", count(int64(r.Versions), "version"), count(int64(r.Tags), "tag"),
		strings.Replace(count(int64(r.Branches), "branch"), "branchs", "branches", 1), flags(r.ReaderFlags), flags(r.WriterFlags))
	if r.StableRowIDs {
		fmt.Fprint(w, "; stable row ids")
	}
	fmt.Fprintln(w)
	for _, b := range r.BasePaths {
		name := strings.TrimSpace(fmt.Sprintf("%d %s", b.ID, b.Name))
		fmt.Fprintf(w, "base path %s: %s\n", name, b.Path)
	}
	for _, part := range []struct {
		title string
		m     map[string]string
	}{{"config", r.Config}, {"metadata", r.Metadata}} {
		if len(part.m) > 0 {
			fmt.Fprintln(w, part.title+":")
			pairs(w, "  ", part.m)
		}
	}
	fmt.Fprintln(w, "\nSCHEMA")
	if err := r.Schema.WriteText(w); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nCOLUMNS")
	if err := r.Columns.WriteText(w); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nINDEXES")
	return r.IndexList.WriteText(w)
}
