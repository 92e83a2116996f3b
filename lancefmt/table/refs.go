package table

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
)

// Tag is a name for a version.
type Tag struct {
	Version   uint64
	Branch    string    // "" for the main line
	CreatedAt time.Time // zero if not recorded
	UpdatedAt time.Time
	Metadata  map[string]string
}

// Branch is a line of versions of its own, below tree/NAME/.
type Branch struct {
	Parent        string // branch; "" for the main line
	ParentVersion uint64
	CreatedAt     time.Time // whole seconds
	Metadata      map[string]string
}

const (
	maxRefBytes = 1 << 20
	refReaders  = 8
)

// Tags reads all tags of a table.
func Tags(ctx context.Context, store storage.Store) (map[string]Tag, error) {
	return readRefs(ctx, store, TagsDir, DecodeTag)
}

// ReadTag reads one tag; a missing one is fault.NotFound.
func ReadTag(ctx context.Context, store storage.Store, name string) (Tag, error) {
	return readRef(ctx, store, TagsDir, name, DecodeTag)
}

// Branches reads all branches of a table.
func Branches(ctx context.Context, store storage.Store) (map[string]Branch, error) {
	return readRefs(ctx, store, BranchesDir, DecodeBranch)
}

// ReadBranch reads one branch; a missing one is fault.NotFound.
func ReadBranch(ctx context.Context, store storage.Store, name string) (Branch, error) {
	return readRef(ctx, store, BranchesDir, name, DecodeBranch)
}

// BranchDir returns the folder that has the branch's _versions/ and data/, with a trailing '/'.
func BranchDir(name string) string { return TreeDir + name + "/" }

// checkRefName refuses names that could not be those of a ref: they come from users.
// Source: lance 14.0.2, dataset/refs.rs.
func checkRefName(name string) error {
	bad := name == "" || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.Contains(name, "//") ||
		strings.Contains(name, "..") || strings.Contains(name, "\\") || strings.HasSuffix(name, ".lock")
	for _, r := range name {
		bad = bad || r < ' '
	}
	if bad {
		return fault.New(fault.InvalidArgument, "%q is not the name of a tag or a branch", name)
	}
	return nil
}

func readRef[T any](ctx context.Context, store storage.Store, dir, name string, decode func([]byte) (T, error)) (v T, err error) {
	if err := checkRefName(name); err != nil {
		return v, err
	}
	// The slash of a branch's name is escaped in the name of its file.
	file := dir + strings.ReplaceAll(name, "/", "%2F") + ".json"
	data, err := storage.ReadAll(ctx, store, file, maxRefBytes)
	if err != nil {
		return v, err
	}
	v, err = decode(data)
	return v, fault.Place(err, file, -1, -1, -1)
}

func readRefs[T any](ctx context.Context, store storage.Store, dir string, decode func([]byte) (T, error)) (map[string]T, error) {
	files, err := storage.ListNames(ctx, store, dir)
	if err != nil {
		return nil, err
	}
	values := make([]*T, len(files))
	names := make([]string, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(refReaders)
	for i, file := range files {
		escaped, ok := strings.CutSuffix(strings.TrimPrefix(file, dir), ".json")
		if !ok || strings.HasPrefix(escaped, ".") {
			continue
		}
		name, err := url.PathUnescape(escaped)
		if err != nil {
			name = escaped
		}
		names[i] = name
		group.Go(func() error {
			data, err := storage.ReadAll(ctx, store, file, maxRefBytes)
			if fault.Is(err, fault.NotFound) {
				return nil // deleted since it was listed
			}
			if err != nil {
				return err
			}
			v, err := decode(data)
			values[i] = &v
			return fault.Place(err, file, -1, -1, -1)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	refs := make(map[string]T, len(files))
	for i, v := range values {
		if v != nil {
			refs[names[i]] = *v
		}
	}
	return refs, nil
}

// DecodeTag decodes the JSON of a tag.
func DecodeTag(data []byte) (Tag, error) {
	var j struct {
		Branch    *string           `json:"branch"`
		Version   *uint64           `json:"version"`
		CreatedAt *time.Time        `json:"createdAt"`
		UpdatedAt *time.Time        `json:"updatedAt"`
		Metadata  map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return Tag{}, fault.Corruptf("the tag is not the JSON it should be: %v", err)
	}
	if j.Version == nil || *j.Version == 0 {
		return Tag{}, fault.Corruptf("the tag names no version")
	}
	t := Tag{Version: *j.Version, Metadata: j.Metadata}
	if j.Branch != nil {
		if err := checkRefName(*j.Branch); err != nil {
			return Tag{}, fault.Corruptf("the tag is on a branch called %q", *j.Branch)
		}
		t.Branch = *j.Branch
	}
	if j.CreatedAt != nil {
		t.CreatedAt = j.CreatedAt.UTC()
	}
	if j.UpdatedAt != nil {
		t.UpdatedAt = j.UpdatedAt.UTC()
	}
	return t, nil
}

// DecodeBranch decodes the JSON of a branch.
func DecodeBranch(data []byte) (Branch, error) {
	var j struct {
		ParentBranch  *string           `json:"parentBranch"`
		ParentVersion uint64            `json:"parentVersion"`
		CreateAt      int64             `json:"createAt"`
		Metadata      map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return Branch{}, fault.Corruptf("the branch is not the JSON it should be: %v", err)
	}
	b := Branch{ParentVersion: j.ParentVersion, CreatedAt: time.Unix(j.CreateAt, 0).UTC(), Metadata: j.Metadata}
	if j.ParentBranch != nil {
		b.Parent = *j.ParentBranch
	}
	return b, nil
}
