package catalog

import (
	"context"
	"path"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// LanceDB's directory namespace (lancedb.connect_namespace("dir", …)) keeps the tables of a namespace
// in directories HASH_NAME beside the others, and a table named __manifest that has a row for each
// object, with these columns among others
// (rust/lance-namespace-impls/src/dir/manifest.rs of the Lance repository):
//
//	object_id     "team$sub$inner": the names of the namespaces around the object, and its own
//	object_type   "namespace" or "table"
//	location      of a table: its directory, from the root
//
// A namespace is a schema here. One that is nested in another has the names of both, joined by a dot.
const (
	manifestDir       = "__manifest/"
	objectDelimiter   = "$"
	namespaceJoin     = "."
	maxObjects        = 1_000_000 // rows of a __manifest; more are refused
	objectsAtOnce     = 1 << 16
	reservedNamespace = InformationSchema
)

// object is a row of __manifest.
type object struct {
	namespace string // "" is the root
	name      string
	location  string // of a table
	isTable   bool
}

// schema is the schema that the object's namespace is.
func (o object) schema() string {
	if o.namespace == "" {
		return SchemaName
	}
	return o.namespace
}

// objects reads __manifest, and keeps what it read until there is another version of it.
type objects struct {
	table *lancefmt.Table
	snap  *lancefmt.Snapshot
	rows  []object
}

// read returns the objects of the newest version. The second result says whether they are those of the
// call before.
func (m *objects) read(ctx context.Context, dir storage.Store, opts lancefmt.Options) (rows []object, same bool, err error) {
	uri := strings.TrimSuffix(dir.URI(), "/") + "/" + strings.TrimSuffix(manifestDir, "/")
	if m.table == nil {
		if m.table, err = lancefmt.Open(ctx, uri, opts); err != nil {
			return nil, false, err
		}
	}
	snap, err := m.table.Snapshot(ctx, lancefmt.Ref{})
	if err != nil {
		return nil, false, err
	}
	if snap == m.snap {
		return m.rows, true, nil
	}
	err = storage.Guard(func() (err error) {
		rows, err = readObjects(ctx, snap)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	m.snap, m.rows = snap, rows
	return rows, false, nil
}

func (m *objects) close() error {
	if m.table == nil {
		return nil
	}
	return m.table.Close()
}

func readObjects(ctx context.Context, snap *lancefmt.Snapshot) (rows []object, err error) {
	if snap.NumRows() > maxObjects {
		return nil, fault.New(fault.ResourceExhausted, "%s has %d rows; more than %d objects are not read",
			snap.Table().URI(), snap.NumRows(), maxObjects)
	}
	columns := lancefmt.Columns("object_id", "object_type", "location")
	for _, f := range snap.Fragments() {
		deleted, err := f.Deleted(ctx)
		if err != nil {
			return nil, err
		}
		for start := int64(0); start < f.NumPhysicalRows(); start += objectsAtOnce {
			end := min(start+objectsAtOnce, f.NumPhysicalRows())
			batch, err := f.Read(ctx, columns, []encoding.Range{{Start: start, End: end}}, memory.DefaultAllocator)
			if err != nil {
				return nil, err
			}
			rows, err = appendObjects(rows, batch, func(row int) bool {
				return deleted != nil && deleted.Contains(uint32(start)+uint32(row))
			})
			batch.Release()
			if err != nil {
				return nil, fault.New(fault.KindOf(err), "%s: %w", snap.Table().URI(), err)
			}
		}
	}
	return rows, nil
}

// appendObjects takes over the rows of a batch, without those that are deleted. Objects of kinds that
// are not known here, such as views, are left out.
func appendObjects(rows []object, batch arrow.RecordBatch, deleted func(row int) bool) ([]object, error) {
	var columns [3]*array.String
	for i := range columns {
		c, ok := batch.Column(i).(*array.String)
		if !ok {
			return nil, fault.Corruptf("column %s of the list of namespaces is %s, want text", batch.ColumnName(i), batch.Column(i).DataType())
		}
		columns[i] = c
	}
	id, kind, location := columns[0], columns[1], columns[2]
	for row := range int(batch.NumRows()) {
		if deleted(row) || id.IsNull(row) || kind.IsNull(row) {
			continue
		}
		parts := strings.Split(strings.Clone(id.Value(row)), objectDelimiter)
		o := object{namespace: strings.Join(parts[:len(parts)-1], namespaceJoin), name: parts[len(parts)-1]}
		switch kind.Value(row) {
		case "namespace":
			o.namespace, o.name = strings.Join(parts, namespaceJoin), ""
		case "table":
			o.isTable = true
			if !location.IsNull(row) {
				o.location = strings.Clone(location.Value(row))
			}
		default:
			continue
		}
		if strings.EqualFold(o.schema(), reservedNamespace) {
			continue // the name is that of the views about all tables
		}
		rows = append(rows, o)
	}
	return rows, nil
}

// inside returns the directory of a store that a location names, with a slash at its end. LanceDB
// writes a path from the root, and has written whole URIs; ok is false for what leads out of the root.
func inside(root storage.Store, location string) (dir string, ok bool) {
	base := strings.TrimSuffix(root.URI(), "/") + "/"
	location = strings.TrimPrefix(location, base)
	if !strings.Contains(base, "://") {
		location = strings.TrimPrefix(strings.TrimPrefix(location, "file://"), base)
	}
	location = strings.TrimSuffix(location, "/")
	if location == "" || strings.Contains(location, "://") || strings.ContainsAny(location, "\\\x00") || path.IsAbs(location) ||
		path.Clean(location) != location || location == "." || location == ".." || strings.HasPrefix(location, "../") {
		return "", false
	}
	return location + "/", true
}
