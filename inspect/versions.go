package inspect

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lanceflight/lancefmt"
)

// VersionReport is one version in a list.
type VersionReport struct {
	Version       uint64    `json:"version"`
	Timestamp     time.Time `json:"timestamp"`
	Writer        string    `json:"writer,omitempty"`
	Operation     string    `json:"operation,omitempty"`
	Rows          int64     `json:"rows"`    // -1: the manifest does not say
	Deleted       int64     `json:"deleted"` // -1: the manifest does not say
	Fragments     int       `json:"fragments"`
	DataFiles     int       `json:"data_files"`
	ManifestBytes int64     `json:"manifest_bytes"`
	Tags          []string  `json:"tags,omitempty"`
}

// VersionsReport is the versions of a line, ascending.
type VersionsReport struct {
	Branch   string          `json:"branch,omitempty"`
	Versions []VersionReport `json:"versions"`
}

// Versions reports the versions of a branch, "" for the main line.
func Versions(ctx context.Context, t *lancefmt.Table, branch string) (*VersionsReport, error) {
	list, err := t.BranchVersions(ctx, branch)
	if err != nil {
		return nil, err
	}
	r := &VersionsReport{Branch: branch, Versions: make([]VersionReport, 0, len(list))}
	for _, v := range list {
		r.Versions = append(r.Versions, VersionReport{Version: v.Version, Timestamp: v.Timestamp, Writer: v.Writer, Operation: v.Operation,
			Rows: v.NumRows, Deleted: v.DeletedRows, Fragments: v.Fragments, DataFiles: v.DataFiles, ManifestBytes: v.ManifestBytes, Tags: v.Tags})
	}
	return r, nil
}

// WriteText implements Report.
func (r *VersionsReport) WriteText(w io.Writer) error {
	g := newGrid("version", "time", "writer", "operation", "rows", "deleted", "fragments", "files", "tags")
	for _, v := range r.Versions {
		g.row(v.Version, stamp(v.Timestamp), v.Writer, v.Operation, v.Rows, v.Deleted, v.Fragments, v.DataFiles, strings.Join(v.Tags, ", "))
	}
	return g.writeTo(w, "")
}

// TagReport is a tag.
type TagReport struct {
	Name      string            `json:"name"`
	Version   uint64            `json:"version"`
	Branch    string            `json:"branch,omitempty"`
	CreatedAt *time.Time        `json:"created_at,omitempty"`
	UpdatedAt *time.Time        `json:"updated_at,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

// TagsReport is the tags of a table, by name.
type TagsReport struct {
	Tags []TagReport `json:"tags"`
}

// Tags reports the tags of a table.
func Tags(ctx context.Context, t *lancefmt.Table) (*TagsReport, error) {
	tags, err := t.Tags(ctx)
	if err != nil {
		return nil, err
	}
	r := &TagsReport{Tags: make([]TagReport, 0, len(tags))}
	for name, tag := range tags {
		r.Tags = append(r.Tags, TagReport{Name: name, Version: tag.Version, Branch: tag.Branch, CreatedAt: optional(tag.CreatedAt),
			UpdatedAt: optional(tag.UpdatedAt), Metadata: tag.Metadata})
	}
	slices.SortFunc(r.Tags, func(a, b TagReport) int { return strings.Compare(a.Name, b.Name) })
	return r, nil
}

// WriteText implements Report.
func (r *TagsReport) WriteText(w io.Writer) error {
	if len(r.Tags) == 0 {
		_, err := fmt.Fprintln(w, "no tags")
		return err
	}
	g := newGrid("tag", "version", "branch", "created", "updated")
	for _, t := range r.Tags {
		g.row(t.Name, t.Version, t.Branch, stampOf(t.CreatedAt), stampOf(t.UpdatedAt))
	}
	return g.writeTo(w, "")
}

// BranchReport is a branch.
type BranchReport struct {
	Name          string            `json:"name"`
	Parent        string            `json:"parent,omitempty"` // branch; absent: the main line
	ParentVersion uint64            `json:"parent_version"`
	CreatedAt     *time.Time        `json:"created_at,omitempty"`
	Latest        uint64            `json:"latest,omitempty"` // version; 0: none
	Versions      int               `json:"versions"`
	Metadata      map[string]string `json:"metadata,omitempty"`
}

// BranchesReport is the branches of a table, by name.
type BranchesReport struct {
	Branches []BranchReport `json:"branches"`
}

// Branches reports the branches of a table.
func Branches(ctx context.Context, t *lancefmt.Table) (*BranchesReport, error) {
	branches, err := t.Branches(ctx)
	if err != nil {
		return nil, err
	}
	r := &BranchesReport{Branches: make([]BranchReport, 0, len(branches))}
	for name, b := range branches {
		x := BranchReport{Name: name, Parent: b.Parent, ParentVersion: b.ParentVersion,
			CreatedAt: optional(b.CreatedAt), Metadata: b.Metadata}
		versions, err := t.BranchVersions(ctx, name)
		if err != nil {
			return nil, err
		}
		if x.Versions = len(versions); x.Versions > 0 {
			x.Latest = versions[x.Versions-1].Version
		}
		r.Branches = append(r.Branches, x)
	}
	slices.SortFunc(r.Branches, func(a, b BranchReport) int { return strings.Compare(a.Name, b.Name) })
	return r, nil
}

// WriteText implements Report.
func (r *BranchesReport) WriteText(w io.Writer) error {
	if len(r.Branches) == 0 {
		_, err := fmt.Fprintln(w, "no branches")
		return err
	}
	g := newGrid("branch", "parent", "at version", "created", "latest", "versions")
	for _, b := range r.Branches {
		parent := b.Parent
		if parent == "" {
			parent = "main"
		}
		g.row(b.Name, parent, b.ParentVersion, stampOf(b.CreatedAt), b.Latest, b.Versions)
	}
	return g.writeTo(w, "")
}
