package table

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"
	"google.golang.org/protobuf/encoding/protowire"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/tablepb"
	"lanceflight/lancefmt/storage"
)

// Manifest is one version of a table.
//
// Numbers that a message lacks are zero, and where zero has a meaning of its own the field is a
// pointer or says so.
type Manifest struct {
	Version   uint64
	Timestamp time.Time // UTC
	Writer    string    // "lance 14.0.2"; "" if not said
	Branch    string    // "" on the main line
	Operation string    // what made the version ("append", "delete", …); "" if not said

	ReaderFlags, WriterFlags uint64
	// StorageVersion is the version that new data files get: "0.1", "2.0", "2.1", …
	StorageVersion string

	Schema        *Schema
	Fragments     []Fragment // in scan order
	Indexes       []Index
	Config        map[string]string
	TableMetadata map[string]string
	Bases         []Base

	MaxFragmentID   uint32
	NextRowID       uint64
	TransactionFile string // below _transactions/

	// SizeBytes is the size of the manifest file, Digest a hash of its bytes (XXH3, seed 0).
	// Offset is where the Manifest message stands in it, behind the sections.
	SizeBytes int64
	Digest    uint64
	Offset    int64
}

// Fragment is a horizontal slice of the table.
type Fragment struct {
	// ID is unique in a version, except where Lance 0.16 appended files of one storage version to a
	// table of another.
	ID uint32
	// PhysicalRows counts deleted rows too. Unknown (-1) in tables of very old writers.
	PhysicalRows int64
	Files        []DataFile
	Deletions    *DeletionFile // nil if no row is deleted
	RowIDs       Lineage       // stable row ids
	CreatedAt    Lineage       // version that created each row
	UpdatedAt    Lineage       // version that last changed each row
	Overlays     []Overlay     // oldest first
}

// Lineage says where a value per row is stored that is not a column of the schema: inline, as a
// serialised sequence, or spilled to a hidden column of a data file. Neither: not stored.
type Lineage struct {
	Inline  []byte
	Spilled bool
}

// Stored reports whether there is such a sequence.
func (l Lineage) Stored() bool { return l.Inline != nil || l.Spilled }

// Field ids of hidden columns of data files; every negative id is reserved.
const (
	FieldTombstone = -2 // a column that is no longer in use
	FieldRowID     = -3
	FieldCreatedAt = -4
	FieldUpdatedAt = -5
)

// DataFile is a file with some columns of a fragment.
type DataFile struct {
	Path          string // below data/, or below its base
	Fields        []int32
	ColumnIndices []int32 // one per field; -1: the field has no column of its own
	Major, Minor  uint32  // of the storage version; 0, 0…2 is the legacy format
	SizeBytes     int64   // -1 if unknown
	Base          *uint32 // id in Manifest.Bases; nil: the table's own folder
}

// DeletionKind is the format of a deletion file.
type DeletionKind uint8

const (
	DeletionArrow  DeletionKind = 0 // Arrow IPC file with one uint32 column
	DeletionBitmap DeletionKind = 1 // portable Roaring bitmap
)

// DeletionFile holds the physical offsets of a fragment's deleted rows.
type DeletionFile struct {
	Kind        DeletionKind
	ReadVersion uint64
	ID          uint64
	NumDeleted  int64 // -1 if unknown (very old writers)
	Base        *uint32
}

// Base is a folder outside of the table that files may lie in.
type Base struct {
	ID            uint32
	Name          string
	IsDatasetRoot bool   // data/, _deletions/, _indices/ below it; else the files lie directly in it
	Path          string // absolute path or URI
}

// ReadManifest reads and decodes a manifest file. Errors name the file; a missing one is
// fault.NotFound.
func ReadManifest(ctx context.Context, store storage.Store, name string) (m *Manifest, err error) {
	o, err := store.Open(ctx, name, -1)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if o.SizeBytes() > maxManifestBytes {
		return nil, fault.New(fault.ResourceExhausted, "manifest %s has %d bytes; at most %d are read", name,
			o.SizeBytes(), int64(maxManifestBytes))
	}
	buffers, err := o.ReadRanges(ctx, []storage.Range{{Length: o.SizeBytes()}})
	if err != nil {
		return nil, err
	}
	defer buffers[0].Release()
	err = storage.Guard(func() error {
		// Decoded messages do not alias their input: protobuf copies strings and bytes.
		m, err = DecodeManifest(buffers[0].Bytes())
		return err
	})
	if err != nil {
		return nil, inManifest(err, name, buffers[0].Bytes())
	}
	return m, nil
}

// inManifest names the manifest file in an error about its bytes, and the offset of the manifest in it
// where the error knows no better one.
func inManifest(err error, name string, file []byte) error {
	if fault.Is(err, fault.Unsupported) {
		return fault.New(fault.Unsupported, "manifest %s: %s", name, strings.TrimPrefix(err.Error(), "not supported: "))
	}
	return fault.Place(err, name, -1, -1, messageOffset(file))
}

// messageOffset returns where the Manifest message stands, by the footer. Where the footer is damaged, that is
// the place.
func messageOffset(file []byte) int64 {
	n := int64(len(file))
	if n < footerBytes {
		return 0
	}
	if at := binary.LittleEndian.Uint64(file[n-footerBytes:]); at <= uint64(n-footerBytes) {
		return int64(at)
	}
	return n - footerBytes
}

// DecodeManifest decodes the bytes of a manifest file. The bytes are not kept. Errors are
// fault.CorruptError, or fault.Unsupported for schemas beyond the bounds of this program; call
// Readable before reading the table's rows.
func DecodeManifest(file []byte) (*Manifest, error) {
	message, err := manifestMessage(file)
	if err != nil {
		return nil, err
	}
	message, fragments, err := splitFragments(message)
	if err != nil {
		return nil, err
	}
	p := new(tablepb.Manifest)
	if err := unmarshal(message, p, "manifest"); err != nil {
		return nil, err
	}
	if err := wellTyped(p); err != nil {
		return nil, err
	}
	for _, f := range p.GetFields() {
		if err := wellTyped(f); err != nil {
			return nil, err
		}
	}
	m := &Manifest{
		Version: p.GetVersion(), Branch: p.GetBranch(),
		ReaderFlags: p.GetReaderFeatureFlags(), WriterFlags: p.GetWriterFeatureFlags(),
		Config: p.GetConfig(), TableMetadata: p.GetTableMetadata(),
		MaxFragmentID: p.GetMaxFragmentId(), NextRowID: p.GetNextRowId(),
		TransactionFile: p.GetTransactionFile(), SizeBytes: int64(len(file)), Digest: xxh3.Hash(file), Offset: messageOffset(file),
	}
	if t := p.GetTimestamp(); t != nil {
		m.Timestamp = t.AsTime()
	}
	if w := p.GetWriterVersion(); w != nil {
		m.Writer = strings.TrimSpace(w.GetLibrary() + " " + w.GetVersion())
		if pre := w.GetPrerelease(); pre != "" {
			m.Writer += "-" + pre
		}
	}
	if m.Schema, err = NewSchema(p.GetFields(), p.GetSchemaMetadata()); err != nil {
		return nil, err
	}
	if m.Fragments, err = newFragments(fragments); err != nil {
		return nil, err
	}
	if p.GetWriterVersion() == nil {
		forgetRowCounts(m.Fragments)
	}
	if err := checkDeletedCounts(m.Fragments); err != nil {
		return nil, err
	}
	for _, b := range p.GetBasePaths() {
		if slices.ContainsFunc(m.Bases, func(x Base) bool { return x.ID == b.GetId() }) {
			return nil, fault.Corruptf("two base paths have the id %d", b.GetId())
		}
		m.Bases = append(m.Bases, Base{ID: b.GetId(), Name: b.GetName(), IsDatasetRoot: b.GetIsDatasetRoot(), Path: b.GetPath()})
	}
	m.StorageVersion = storageVersion(p, m.Fragments)
	// Offset 0 is where the index section usually stands, so presence counts, not the value.
	if p.IndexSection != nil {
		if m.Indexes, err = decodeIndexes(file, *p.IndexSection, m.ReaderFlags); err != nil {
			return nil, err
		}
	}
	for _, offset := range []*uint64{p.TransactionSection, p.TransactionSectionDeprecated} {
		if offset != nil && m.Operation == "" {
			// A reader must not fail because of the transaction (table.proto), so errors pass.
			if data, err := section(file, *offset, "transaction"); err == nil {
				m.Operation = operation(data)
			}
		}
	}
	return m, nil
}

// forgetRowCounts makes the row counts of a manifest unknown that does not name its writer. Writers
// from before Lance 0.8.1 did not, and counted what was left after deletions where they migrated a
// table. The files know better.
//
// Source: lance 0.39, dataset/fragment.rs, physical_rows; lancedb/lance issue 1531.
func forgetRowCounts(fragments []Fragment) {
	for i := range fragments {
		if f := &fragments[i]; len(f.Files) > 0 {
			f.PhysicalRows = -1
		}
	}
}

// checkDeletedCounts tests that no fragment is said to have more deleted rows than rows.
func checkDeletedCounts(fragments []Fragment) error {
	for i := range fragments {
		f := &fragments[i]
		if d := f.Deletions; d != nil && f.PhysicalRows >= 0 && d.NumDeleted > f.PhysicalRows {
			return fault.Corruptf("fragment %d has %d rows, of which %d are said to be deleted", f.ID, f.PhysicalRows, d.NumDeleted)
		}
	}
	return nil
}

// fragmentOf converts the message of a fragment. It is the way for fragments with deletions, row
// ids or overlays; others are decoded by fragmentDecoder.
func fragmentOf(p *tablepb.DataFragment) (Fragment, error) {
	f := Fragment{ID: uint32(p.GetId()), PhysicalRows: int64(p.GetPhysicalRows())}
	if err := wellTyped(p); err != nil {
		return f, err
	}
	if d := p.GetDeletionFile(); d != nil {
		if err := wellTyped(d); err != nil {
			return f, err
		}
	}
	for _, q := range p.GetFiles() {
		file, err := dataFileOf(q, f.ID)
		if err != nil {
			return f, err
		}
		f.Files = append(f.Files, file)
	}
	for _, q := range p.GetOverlays() {
		o, err := overlayOf(q, f.ID)
		if err != nil {
			return f, err
		}
		f.Overlays = append(f.Overlays, o)
	}
	slices.SortStableFunc(f.Overlays, func(a, b Overlay) int { return cmp.Compare(a.CommittedVersion, b.CommittedVersion) })
	if err := f.check(p.GetId(), p.GetPhysicalRows()); err != nil {
		return f, err
	}
	if d := p.GetDeletionFile(); d != nil {
		f.Deletions = &DeletionFile{Kind: DeletionKind(d.GetFileType()), ReadVersion: d.GetReadVersion(), ID: d.GetId(),
			NumDeleted: int64(d.GetNumDeletedRows()), Base: d.BaseId}
		switch {
		case d.GetFileType() != tablepb.DeletionFile_ARROW_ARRAY && d.GetFileType() != tablepb.DeletionFile_BITMAP:
			return f, fault.New(fault.Unsupported, "deletion file type %d (fragment %d)", d.GetFileType(), f.ID)
		// Deletion files are never empty, so zero means that the number is not recorded.
		case d.GetNumDeletedRows() == 0:
			f.Deletions.NumDeleted = -1
		case d.GetNumDeletedRows() > math.MaxUint32+1:
			return f, fault.Corruptf("of fragment %d, %d rows are said to be deleted, more than a row address can tell apart",
				f.ID, d.GetNumDeletedRows())
		}
	}
	f.RowIDs = lineage(p.GetInlineRowIds(), p.GetColumnRowIds() != nil)
	f.CreatedAt = lineage(p.GetInlineCreatedAtVersions(), p.GetColumnCreatedAtVersions() != nil)
	f.UpdatedAt = lineage(p.GetInlineLastUpdatedAtVersions(), p.GetColumnLastUpdatedAtVersions() != nil)
	return f, nil
}

func dataFileOf(q *tablepb.DataFile, fragment uint32) (DataFile, error) {
	if err := wellTyped(q); err != nil {
		return DataFile{}, err
	}
	if q.GetFileSizeBytes() > math.MaxInt64 {
		return DataFile{}, fault.Corruptf("data file %q of fragment %d claims %d bytes", q.GetPath(), fragment, q.GetFileSizeBytes())
	}
	file := DataFile{Path: q.GetPath(), Fields: q.GetFields(), ColumnIndices: q.GetColumnIndices(),
		Major: q.GetFileMajorVersion(), Minor: q.GetFileMinorVersion(), SizeBytes: int64(q.GetFileSizeBytes()), Base: q.BaseId}
	if file.SizeBytes == 0 {
		file.SizeBytes = -1
	}
	return file, nil
}

func lineage(inline []byte, spilled bool) Lineage { return Lineage{Inline: inline, Spilled: spilled} }

// Legacy reports whether a file is of storage version 0.1, which has footers 0.1 and 0.2.
func (f *DataFile) Legacy() bool { return f.Major == 0 && f.Minor <= 2 }

// storageVersion names the version of new data files; manifests of old writers do not say it.
func storageVersion(p *tablepb.Manifest, fragments []Fragment) string {
	switch v := p.GetDataFormat().GetVersion(); v {
	case "":
	case "0.3": // an alias, and what footers of 2.0 files say
		return "2.0"
	case "legacy":
		return "0.1"
	default:
		return v
	}
	for _, f := range fragments {
		if len(f.Files) == 0 {
			continue
		}
		if f.Files[0].Legacy() {
			return "0.1"
		}
		return "2.0"
	}
	if p.GetWriterFeatureFlags()&FlagV2Format != 0 {
		return "2.0"
	}
	return "0.1"
}

// Readable returns fault.Unsupported if the rows of this version cannot be read: it needs a
// feature, a file format or a storage version that this program does not know. A storage version that
// is none, as damage makes it, is a fault.CorruptError.
func (m *Manifest) Readable() error {
	if err := checkReaderFlags(m.ReaderFlags, m.WriterFlags); err != nil {
		return err
	}
	switch m.StorageVersion {
	case "0.1", "2.0", "2.1", "2.2", "2.3":
		return nil
	}
	if !isVersion(m.StorageVersion) {
		return fault.Corruptf("the storage version is %q, which is no version", m.StorageVersion)
	}
	return fault.New(fault.Unsupported, "storage version %s", m.StorageVersion)
}

// isVersion reports whether a text is two numbers with a dot between them, or a word such as "next".
func isVersion(s string) bool {
	major, minor, ok := strings.Cut(s, ".")
	if !ok {
		return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
	}
	number := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return number(major) && number(minor)
}

// HasStableRowIDs reports whether row ids differ from row addresses.
func (m *Manifest) HasStableRowIDs() bool { return m.ReaderFlags&FlagStableRowIDs != 0 }

// operations are the field numbers of Transaction.operation (transaction.proto, 14.0.2).
var operations = map[protowire.Number]string{
	100: "append", 101: "delete", 102: "overwrite", 103: "create index", 104: "rewrite", 105: "merge", 106: "restore",
	107: "reserve fragments", 108: "update", 109: "project", 110: "update config", 111: "data replacement",
	112: "update mem wal", 113: "clone", 114: "update bases", 115: "data overlay",
}

// operation names the operation of a serialised Transaction, "" if that cannot be told.
func operation(data []byte) string {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return ""
		}
		if name, ok := operations[number]; ok {
			return name
		}
		data = data[n:]
		if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
			return ""
		}
		data = data[n:]
	}
	return ""
}
