package check

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// maxRefBytes bounds the JSON of a tag or branch, maxTransactionBytes a transaction file.
const (
	maxRefBytes         = 1 << 20
	maxTransactionBytes = 1 << 30
)

// versionRef is a version to be checked.
type versionRef struct {
	ref     lancefmt.Ref
	name    string // of the manifest file; "" if it is not listed
	indexed bool   // it has indices
}

// versions returns what is to be checked, newest first within a line, and checks tags and branches.
func (c *checker) versions(ctx context.Context) ([]*versionRef, error) {
	if c.opts.Ref != (lancefmt.Ref{}) {
		return []*versionRef{{ref: c.opts.Ref}}, nil
	}
	branches, err := c.branches(ctx)
	if err != nil {
		return nil, err
	}
	var out []*versionRef
	there := map[string][]uint64{}
	for _, branch := range append([]string{""}, branches...) {
		dir := ""
		if branch != "" {
			dir = table.BranchDir(branch)
		}
		files, err := table.ListVersions(ctx, c.t.Store(), dir)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			c.addf(Problem{File: dir + table.VersionsDir, Branch: branch}, BadReference, "the branch has no versions")
		}
		for _, f := range slices.Backward(files) {
			c.names[f.Name] = true
			there[branch] = append(there[branch], f.Version)
			out = append(out, &versionRef{ref: lancefmt.Ref{Branch: branch, Version: f.Version}, name: f.Name})
		}
	}
	return out, c.tags(ctx, there)
}

// refName returns the name of a tag or branch from the name of its file.
func refName(file, dir string) (string, bool) {
	escaped, ok := strings.CutSuffix(strings.TrimPrefix(file, dir), ".json")
	if !ok || strings.HasPrefix(escaped, ".") {
		return "", false
	}
	name, err := url.PathUnescape(escaped)
	if err != nil {
		return escaped, true
	}
	return name, true
}

// branches returns the names of the branches that can be read, in order.
func (c *checker) branches(ctx context.Context) ([]string, error) {
	store := c.t.Store()
	files, err := storage.ListNames(ctx, store, table.BranchesDir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, file := range files {
		name, ok := refName(file, table.BranchesDir)
		if !ok {
			continue
		}
		if _, err := table.ReadBranch(ctx, store, name); err != nil {
			c.blind = true
			if err := c.fail(ctx, Problem{Code: BadReference, File: file}, err); err != nil {
				return nil, err
			}
			continue
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out, nil
}

// tags checks that each tag names a version that is there.
func (c *checker) tags(ctx context.Context, there map[string][]uint64) error {
	store := c.t.Store()
	files, err := storage.ListNames(ctx, store, table.TagsDir)
	if err != nil {
		return err
	}
	for _, file := range files {
		name, ok := refName(file, table.TagsDir)
		if !ok {
			continue
		}
		tag, err := table.ReadTag(ctx, store, name)
		if err != nil {
			if err := c.fail(ctx, Problem{Code: BadReference, File: file}, err); err != nil {
				return err
			}
			continue
		}
		if !slices.Contains(there[tag.Branch], tag.Version) {
			of := ""
			if tag.Branch != "" {
				of = " of branch " + tag.Branch
			}
			c.addf(Problem{File: file}, BadReference, "the tag names version %d%s, which is not there", tag.Version, of)
		}
	}
	return nil
}

// snapshot loads a version; nil if it cannot be read, which is told.
func (c *checker) snapshot(ctx context.Context, v *versionRef) (*lancefmt.Snapshot, error) {
	s, err := c.t.Snapshot(ctx, v.ref)
	if err != nil {
		if v.name == "" && (fault.Is(err, fault.NotFound) || fault.Is(err, fault.InvalidArgument)) {
			return nil, err // what the caller asked for is not there
		}
		c.blind = true
		return nil, c.fail(ctx, Problem{Code: BadManifest, File: v.name, Version: v.ref.Version, Branch: v.ref.Branch}, err)
	}
	v.ref = lancefmt.Ref{Version: s.Version(), Branch: s.Branch()}
	v.indexed = len(s.Indexes()) > 0
	return s, nil
}

// lineDir returns the folder of a version's line, "" or "tree/NAME/".
func lineDir(s *lancefmt.Snapshot) string {
	if s.Branch() == "" {
		return ""
	}
	return table.BranchDir(s.Branch())
}

// manifest checks what a manifest says of itself, and its transaction file.
func (c *checker) manifest(ctx context.Context, s *lancefmt.Snapshot) error {
	m := s.Manifest()
	// Very old writers did not keep the highest id.
	if m.MaxFragmentID > 0 {
		for _, f := range s.Fragments() {
			if f.StoredID() > m.MaxFragmentID {
				c.addf(in(f, ""), BadManifest, "the fragment's id is above the highest one ever used, %d", m.MaxFragmentID)
			}
		}
	}
	for _, f := range s.Fragments() {
		if f.ID() != f.StoredID() {
			c.addf(in(f, ""), BadManifest, "an earlier fragment has the id %d too; row addresses call this one %d", f.StoredID(), f.ID())
		}
	}
	if m.TransactionFile == "" {
		return nil
	}
	name := lineDir(s) + "_transactions/" + m.TransactionFile
	if c.names[name] {
		return nil
	}
	p := problemAt(s, BadTransaction)
	p.File = c.fileName(s.Store(), name)
	data, err := storage.ReadAll(ctx, s.Store(), name, maxTransactionBytes)
	if fault.Is(err, fault.NotFound) {
		p.Severity = Warning
		c.addf(p, BadTransaction, "there is no such file; that harms no rows, only writers that began before this version")
		return nil
	}
	if err != nil {
		return c.fail(ctx, p, err)
	}
	for rest := data; len(rest) > 0; {
		_, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			offset := int64(len(data) - len(rest))
			p.Offset = &offset
			c.addf(p, BadTransaction, "the file is no message: %v", protowire.ParseError(n))
			return nil
		}
		rest = rest[n:]
	}
	return nil
}
