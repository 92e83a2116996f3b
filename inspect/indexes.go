package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/index"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex/lanceidx"
	"lanceflight/vecindex/lanceidx/indexpb"
)

// IndexFileReport is a file of an index segment.
type IndexFileReport struct {
	Path    string   `json:"path"` // below the segment's folder
	Bytes   int64    `json:"bytes"`
	Rows    int64    `json:"rows"`
	Columns []string `json:"columns,omitempty"`
	// Metadata is that of the file's schema.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Unread says why the file cannot be looked into.
	Unread string `json:"unread,omitempty"`
}

// PartitionsReport is the partitions of a vector index.
type PartitionsReport struct {
	Partitions int    `json:"partitions"`
	Dimension  int    `json:"dimension,omitempty"`
	Rows       int64  `json:"rows"` // of all partitions
	MinRows    uint32 `json:"min_rows"`
	MaxRows    uint32 `json:"max_rows"`
}

// IndexReport is a segment of an index.
type IndexReport struct {
	Name           string     `json:"name"`
	UUID           string     `json:"uuid"`
	Kind           string     `json:"kind"`
	Columns        []string   `json:"columns"`
	Covering       []string   `json:"covering,omitempty"`
	DatasetVersion uint64     `json:"dataset_version"`
	IndexVersion   int32      `json:"index_version"`
	CreatedAt      *time.Time `json:"created_at,omitempty"`
	// Fragments are the ids of those indexed; absent if that is not recorded.
	Fragments []uint32 `json:"fragments,omitempty"`
	// Gone counts fragments among them that the version no longer has. CoveredRows and TableRows count rows
	// that are not deleted, CoveredRows those in fragments that are covered.
	Gone        int   `json:"gone"`
	CoveredRows int64 `json:"covered_rows"`
	TableRows   int64 `json:"table_rows"`
	Bytes       int64 `json:"bytes"`

	Partitions *PartitionsReport `json:"partitions,omitempty"`
	// Parameters are what the files say of themselves: metric, sub-vectors, tokenizer ….
	Parameters map[string]string `json:"parameters,omitempty"`
	Files      []IndexFileReport `json:"files"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	Unread     string            `json:"unread,omitempty"`
}

// IndexesReport is the segments of the indices of a version.
type IndexesReport struct {
	Indexes []IndexReport `json:"indexes"`
}

// Indexes reports the indices of a version, segment by segment in the manifest's order.
func Indexes(ctx context.Context, s *lancefmt.Snapshot) (*IndexesReport, error) {
	r := &IndexesReport{Indexes: make([]IndexReport, 0, len(s.Indexes()))}
	for _, x := range s.Indexes() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.Indexes = append(r.Indexes, reportSegment(ctx, s, x))
	}
	return r, nil
}

func reportSegment(ctx context.Context, s *lancefmt.Snapshot, x *lancefmt.Index) IndexReport {
	y := IndexReport{Name: x.Name, UUID: x.UUID, Kind: x.Kind, Columns: x.Fields, Covering: x.Covering, DatasetVersion: x.DatasetVersion,
		IndexVersion: x.IndexVersion, CreatedAt: optional(x.CreatedAt), TableRows: s.NumRows(), Metadata: x.Metadata, Files: []IndexFileReport{}}
	if x.Fragments != nil {
		y.Fragments = x.Fragments.ToArray()
		for _, id := range y.Fragments {
			if f := s.Fragment(id); f != nil {
				y.CoveredRows += f.NumRows()
			} else {
				y.Gone++
			}
		}
	}
	if x.Err != nil {
		y.Unread = x.Err.Error()
		return y
	}
	files, err := indexFiles(ctx, x.Store(), x.Dir())
	if err != nil {
		y.Unread = err.Error()
		return y
	}
	for _, f := range files {
		y.Bytes += f.SizeBytes
		y.Files = append(y.Files, y.file(ctx, x.Store(), f, x.Dir()))
	}
	return y
}

// indexFiles lists a segment's folder, and folders in it.
func indexFiles(ctx context.Context, store storage.Store, dir string) ([]storage.Info, error) {
	objects, dirs, err := store.List(ctx, dir+"/")
	if err != nil {
		return nil, err
	}
	for _, d := range dirs {
		below, err := indexFiles(ctx, store, strings.TrimSuffix(d, "/"))
		if err != nil {
			return nil, err
		}
		objects = append(objects, below...)
	}
	return objects, nil
}

// file looks into a file, and keeps what it says of the index.
func (y *IndexReport) file(ctx context.Context, store storage.Store, info storage.Info, dir string) IndexFileReport {
	z := IndexFileReport{Path: strings.TrimPrefix(info.Name, dir+"/"), Bytes: info.SizeBytes}
	o, err := store.Open(ctx, info.Name, -1)
	if err != nil {
		z.Unread = err.Error()
		return z
	}
	r, err := file.Open(ctx, o)
	if err != nil {
		o, again := store.Open(ctx, info.Name, -1)
		if again == nil {
			defer o.Close()
			if path.Base(z.Path) == "index.idx" && y.oneFile(ctx, o) {
				z.Rows = y.Partitions.Rows
				return z
			}
		}
		z.Unread = err.Error()
		return z
	}
	defer r.Close()
	z.Rows = r.NumRows()
	if z.Metadata, err = r.SchemaMetadata(ctx); err != nil {
		z.Unread = err.Error()
		return z
	}
	if fields, err := r.Fields(ctx); err != nil {
		z.Unread = err.Error()
	} else {
		for _, f := range fields {
			z.Columns = append(z.Columns, f.Name)
		}
	}
	if p := partitions(ctx, r, z.Metadata); p != nil {
		if y.Partitions == nil {
			y.Partitions = p
		} else { // one of the two files has the centroids, the other the rows
			y.Partitions.Partitions = max(y.Partitions.Partitions, p.Partitions)
			y.Partitions.Dimension = max(y.Partitions.Dimension, p.Dimension)
			if y.Partitions.Rows == 0 { // else it has them from auxiliary.idx, and those of a graph count each of its levels
				y.Partitions.Rows, y.Partitions.MinRows, y.Partitions.MaxRows = p.Rows, p.MinRows, p.MaxRows
			}
		}
	}
	for k, v := range z.Metadata {
		y.parameter(path.Base(z.Path), k, v)
	}
	return z
}

// oneFile looks into an index that is one file, as pylance wrote them up to 0.23; false if it is none.
func (y *IndexReport) oneFile(ctx context.Context, o storage.Object) bool {
	m, err := lanceidx.OneFileMessage(ctx, o)
	if err != nil {
		return false
	}
	y.Partitions = &PartitionsReport{Dimension: int(m.GetDimension())}
	y.Parameters = map[string]string{"distance_type": strings.ToLower(m.GetMetricType().String())}
	var kind []string
	for _, s := range m.GetStages() {
		switch s := s.GetStage().(type) {
		case *indexpb.VectorIndexStage_Ivf:
			kind = append(kind, "IVF")
			dim := y.Partitions.Dimension
			y.Partitions = partitionsOf(s.Ivf)
			y.Partitions.Dimension = max(y.Partitions.Dimension, dim)
		case *indexpb.VectorIndexStage_Pq:
			kind = append(kind, "PQ")
			y.Parameters["nbits"] = strconv.Itoa(int(s.Pq.GetNumBits()))
			y.Parameters["num_sub_vectors"] = strconv.Itoa(int(s.Pq.GetNumSubVectors()))
		case *indexpb.VectorIndexStage_Transform:
			kind = append(kind, "OPQ")
		}
	}
	y.Parameters["type"] = strings.Join(kind, "_")
	return true
}

// parameter keeps what is worth showing of a file's metadata: short texts as they are, and the members of
// JSON objects.
func (y *IndexReport) parameter(name, k, v string) {
	set := func(k, v string) {
		if y.Parameters == nil {
			y.Parameters = make(map[string]string)
		}
		y.Parameters[k] = v
	}
	if index.IsInternal(k) {
		return
	}
	if k == "storage_metadata" {
		var texts []string
		if json.Unmarshal([]byte(v), &texts) == nil && len(texts) > 0 {
			v = texts[0]
		}
	}
	var members map[string]any
	if json.Unmarshal([]byte(v), &members) == nil {
		for m, x := range members {
			switch x := x.(type) {
			case string:
				set(m, x)
			case float64:
				set(m, strconv.FormatFloat(x, 'g', -1, 64))
			case bool:
				set(m, strconv.FormatBool(x))
			}
		}
		return
	}
	if len(v) <= maxShown {
		set(k, v)
	}
}

// maxIVFBytes bounds the message with partitions and centroids that is read.
const maxIVFBytes = 1 << 30

// partitions reads the IVF message that "lance:ivf" names, nil if there is none or it makes no sense.
func partitions(ctx context.Context, r *file.Reader, meta map[string]string) *PartitionsReport {
	number, err := strconv.Atoi(meta["lance:ivf"])
	if err != nil {
		return nil
	}
	buf, err := r.GlobalBuffer(ctx, number)
	if err != nil {
		return nil
	}
	defer buf.Release()
	m := new(indexpb.IVF)
	if buf.Len() > maxIVFBytes || storage.Guard(func() error { return proto.Unmarshal(buf.Bytes(), m) }) != nil {
		return nil
	}
	return partitionsOf(m)
}

func partitionsOf(m *indexpb.IVF) *PartitionsReport {
	p := &PartitionsReport{Partitions: len(m.GetLengths())}
	if shape := m.GetCentroidsTensor().GetShape(); len(shape) == 2 {
		p.Partitions, p.Dimension = max(p.Partitions, int(shape[0])), int(shape[1])
	}
	for i, n := range m.GetLengths() {
		p.Rows += int64(n)
		p.MaxRows = max(p.MaxRows, n)
		if i == 0 || n < p.MinRows {
			p.MinRows = n
		}
	}
	return p
}

// WriteText implements Report.
func (r *IndexesReport) WriteText(w io.Writer) error {
	if len(r.Indexes) == 0 {
		_, err := fmt.Fprintln(w, "no indices")
		return err
	}
	for i, x := range r.Indexes {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s on %s, %s\n", x.Name, x.Kind, strings.Join(x.Columns, ", "), size(x.Bytes))
		fmt.Fprintf(w, "  segment %s, made from version %d", x.UUID, x.DatasetVersion)
		if x.CreatedAt != nil {
			fmt.Fprintf(w, " at %s", stampOf(x.CreatedAt))
		}
		fmt.Fprintln(w)
		if x.Fragments != nil {
			fmt.Fprintf(w, "  covers %s", count(int64(len(x.Fragments)), "fragment"))
			if x.Gone > 0 {
				fmt.Fprintf(w, " (%d gone)", x.Gone)
			}
			fmt.Fprintf(w, " with %d of %d rows\n", x.CoveredRows, x.TableRows)
		}
		if p := x.Partitions; p != nil {
			fmt.Fprintf(w, "  %s of dimension %d, %d rows, %d…%d each\n", count(int64(p.Partitions), "partition"),
				p.Dimension, p.Rows, p.MinRows, p.MaxRows)
		}
		if len(x.Covering) > 0 {
			fmt.Fprintf(w, "  carries %s\n", strings.Join(x.Covering, ", "))
		}
		pairs(w, "  ", x.Parameters)
		if x.Unread != "" {
			fmt.Fprintf(w, "  not read: %s\n", x.Unread)
		}
		if len(x.Files) == 0 {
			continue
		}
		g := newGrid("file", "rows", "bytes", "columns")
		files := slices.Clone(x.Files)
		for _, f := range files {
			columns := strings.Join(f.Columns, ", ")
			if f.Unread != "" {
				columns = f.Unread
			}
			g.row(f.Path, f.Rows, size(f.Bytes), columns)
		}
		if err := g.writeTo(w, "  "); err != nil {
			return err
		}
	}
	return nil
}
