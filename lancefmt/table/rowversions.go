package table

import (
	"sort"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/tablepb"
)

// VersionSequence is a table version for each row of a fragment, by physical offset, as runs of
// equal versions.
type VersionSequence struct {
	ends     []int64 // offset behind each run
	versions []uint64
}

// DecodeVersions decodes a serialised RowDatasetVersionSequence of a fragment with rows rows. The
// bytes are not kept. A sequence of another length is corrupt.
//
// Source: lance-table 14.0.2, rowids/version.rs: of a run's span only the number of values counts.
func DecodeVersions(data []byte, rows int64) (*VersionSequence, error) {
	p := new(tablepb.RowDatasetVersionSequence)
	if err := unmarshal(data, p, "row version sequence"); err != nil {
		return nil, err
	}
	s := &VersionSequence{}
	var n int64
	for _, run := range p.GetRuns() {
		span, err := newSegment(run.GetSpan())
		if err != nil {
			return nil, err
		}
		if span.len() > rows-n {
			return nil, fault.Corruptf("the row version sequence is longer than the fragment's %d rows", rows)
		}
		if span.len() == 0 {
			continue
		}
		n += span.len()
		s.ends = append(s.ends, n)
		s.versions = append(s.versions, run.GetVersion())
	}
	if n != rows {
		return nil, fault.Corruptf("the row version sequence has %d versions for a fragment of %d rows", n, rows)
	}
	return s, nil
}

// VersionsOf makes a sequence of one version per row.
func VersionsOf(values []uint64) *VersionSequence {
	s := &VersionSequence{}
	for i, v := range values {
		if n := len(s.versions); n > 0 && s.versions[n-1] == v {
			s.ends[n-1] = int64(i) + 1
			continue
		}
		s.ends = append(s.ends, int64(i)+1)
		s.versions = append(s.versions, v)
	}
	return s
}

// ConstantVersion returns a sequence of rows rows with one version.
func ConstantVersion(version uint64, rows int64) *VersionSequence {
	if rows == 0 {
		return &VersionSequence{}
	}
	return &VersionSequence{ends: []int64{rows}, versions: []uint64{version}}
}

// Len returns the number of rows.
func (s *VersionSequence) Len() int64 {
	if len(s.ends) == 0 {
		return 0
	}
	return s.ends[len(s.ends)-1]
}

// Fill sets dst to the versions of the rows from … from+len(dst), which exist.
func (s *VersionSequence) Fill(dst []uint64, from int64) {
	k := sort.Search(len(s.ends), func(i int) bool { return s.ends[i] > from })
	for len(dst) > 0 {
		n := min(int64(len(dst)), s.ends[k]-from)
		for i := range n {
			dst[i] = s.versions[k]
		}
		dst, from, k = dst[n:], from+n, k+1
	}
}
