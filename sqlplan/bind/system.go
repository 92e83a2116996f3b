package bind

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// systemNames are the tables "train$NAME".
var systemNames = []string{"branches", "columns", "fragments", "indexes", "tags", "versions"}

// systemTable binds "train$versions" and its kin.
func (b *binder) systemTable(target catalog.Target, t *parse.NamedTable) (plan.Node, *relation, error) {
	n, err := b.systemRecords(target, target.System, t.Name.Table.Pos)
	if err != nil {
		return nil, nil, err
	}
	b.nameTable(n, target.Schema, n.Name)
	rel := &relation{name: t.Name.Table.Name, catalog: catalog.CatalogName, schema: target.Schema, cols: n.Out}
	if t.Alias.Name != "" {
		rel = &relation{name: t.Alias.Name, cols: n.Out}
	}
	return n, rel, nil
}

func (b *binder) systemRecords(target catalog.Target, what string, pos parse.Pos) (*plan.Records, error) {
	label := target.Path() + "$" + what
	switch what {
	case "versions":
		return b.records(label, []column{
			{"version", bigintType}, {"timestamp", timeType}, {"rows", bigintType}, {"deleted_rows", bigintType},
			{"fragments", bigintType}, {"data_files", bigintType}, {"manifest_bytes", bigintType},
			{"operation", textType}, {"writer", textType}, {"tags", textType},
		}, func(ctx context.Context) ([][]any, error) { return versionRows(ctx, target.Table) }), nil
	case "tags":
		return b.records(label, []column{
			{"tag", textType}, {"version", bigintType}, {"branch", textType}, {"created_at", timeType}, {"updated_at", timeType},
		}, func(ctx context.Context) ([][]any, error) { return tagRows(ctx, target.Table) }), nil
	case "branches":
		return b.records(label, []column{
			{"branch", textType}, {"parent_branch", textType}, {"parent_version", bigintType}, {"created_at", timeType},
		}, func(ctx context.Context) ([][]any, error) { return branchRows(ctx, target.Table) }), nil
	}
	if !slices.Contains(systemNames, what) {
		return nil, invalid(pos, "table %s has no system table %q%s", target.Name, what, catalog.Hint(what, systemNames, "system tables"))
	}
	name := parse.TableName{Schema: parse.Ident{Name: target.Schema, Quoted: true, Pos: pos},
		Table: parse.Ident{Name: target.Name, Quoted: true, Pos: pos}}
	snap, err := b.snapshot(catalog.Target{Schema: target.Schema, Name: target.Name, Table: target.Table}, &parse.NamedTable{Name: name})
	if err != nil {
		return nil, err
	}
	switch what {
	case "indexes":
		return b.records(label, []column{
			{"index_name", textType}, {"kind", textType}, {"columns", textType}, {"segment", textType}, {"fragments", bigintType},
			{"fragments_total", bigintType}, {"bytes", bigintType}, {"dataset_version", bigintType}, {"created_at", timeType}, {"problem", textType},
		}, func(context.Context) ([][]any, error) { return indexRows(snap), nil }), nil
	case "fragments":
		return b.records(label, []column{
			{"fragment", bigintType}, {"rows", bigintType}, {"physical_rows", bigintType}, {"deleted_rows", bigintType},
			{"data_files", bigintType}, {"bytes", bigintType}, {"storage_version", textType},
		}, func(context.Context) ([][]any, error) { return fragmentRows(snap), nil }), nil
	}
	return b.records(label, []column{
		{"ordinal_position", bigintType}, {"column_name", textType}, {"field_id", bigintType}, {"data_type", textType},
		{"logical_type", textType}, {"nullable", textType}, {"bytes_estimate", bigintType},
	}, func(context.Context) ([][]any, error) { return columnRows(snap), nil }), nil
}

func versionRows(ctx context.Context, t *lancefmt.Table) ([][]any, error) {
	versions, err := t.Versions(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, v := range versions {
		rows = append(rows, []any{
			v.Version, v.Timestamp, known(v.NumRows), known(v.DeletedRows), v.Fragments, v.DataFiles, v.ManifestBytes,
			orNull(v.Operation), orNull(v.Writer), orNull(strings.Join(v.Tags, ", ")),
		})
	}
	return rows, nil
}

// known turns the formats' -1 for an unknown number into NULL.
func known(n int64) any {
	if n < 0 {
		return nil
	}
	return n
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func tagRows(ctx context.Context, t *lancefmt.Table) ([][]any, error) {
	tags, err := t.Tags(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		tag := tags[name]
		rows = append(rows, []any{name, tag.Version, orNull(tag.Branch), tag.CreatedAt, tag.UpdatedAt})
	}
	return rows, nil
}

func branchRows(ctx context.Context, t *lancefmt.Table) ([][]any, error) {
	branches, err := t.Branches(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, name := range slices.Sorted(maps.Keys(branches)) {
		x := branches[name]
		rows = append(rows, []any{name, orNull(x.Parent), x.ParentVersion, x.CreatedAt})
	}
	return rows, nil
}

func indexRows(s *lancefmt.Snapshot) [][]any {
	var rows [][]any
	for _, x := range s.Indexes() {
		var fragments, bytes any
		if x.Fragments != nil {
			n := 0
			for _, f := range s.Fragments() {
				if x.Fragments.Contains(f.ID()) {
					n++
				}
			}
			fragments = n
		}
		if len(x.Files) > 0 {
			sum := int64(0)
			for _, f := range x.Files {
				sum += f.SizeBytes
			}
			bytes = sum
		}
		problem := ""
		if x.Err != nil {
			problem = x.Err.Error()
		}
		rows = append(rows, []any{
			x.Name, x.Kind, strings.Join(x.Fields, ", "), x.UUID, fragments, len(s.Fragments()), bytes, x.DatasetVersion,
			x.CreatedAt, orNull(problem),
		})
	}
	return rows
}

func fragmentRows(s *lancefmt.Snapshot) [][]any {
	var rows [][]any
	for _, f := range s.Fragments() {
		bytes := int64(0)
		version := ""
		for _, d := range f.Files() {
			if d.SizeBytes < 0 || bytes < 0 {
				bytes = -1
			} else {
				bytes += d.SizeBytes
			}
			version = storageVersion(d.Major, d.Minor)
		}
		rows = append(rows, []any{
			int64(f.ID()), f.NumRows(), f.NumPhysicalRows(), f.NumPhysicalRows() - f.NumRows(), len(f.Files()), known(bytes), orNull(version),
		})
	}
	return rows
}

func storageVersion(major, minor uint32) string {
	if major == 0 {
		return "0.1" // files of the legacy format carry several minor numbers
	}
	return string(rune('0'+major%10)) + "." + string(rune('0'+minor%10))
}

func columnRows(s *lancefmt.Snapshot) [][]any {
	var rows [][]any
	for i, f := range s.Fields() {
		bytes := 0.0
		for _, frag := range s.Fragments() {
			bytes += frag.BytesPerRow(lancefmt.Columns(f.Name)) * float64(frag.NumRows())
		}
		rows = append(rows, []any{
			i + 1, f.Name, int64(f.ID), expr.TypeName(plan.ResultType(f.Type)), f.LogicalType, yesNo(f.Nullable), int64(math.Round(bytes)),
		})
	}
	return rows
}

func yesNo(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}
