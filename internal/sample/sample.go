// Package sample carries the table that the server serves when it is given none: 1,000 rows in the
// shape of LAION-1M, with real JPEGs, an IVF_PQ index on img_emb, a BTREE on key and an INVERTED
// index on caption.
//
// It was written by pylance 14.0.2 (storage version 2.2); regenerate.sh makes it again.
package sample

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"

	"lanceflight/internal/fault"
)

//go:embed all:train.lance
var files embed.FS

// Table is the name of the table's directory.
const Table = "train.lance"

// Extract writes the table below dir and returns its path. Existing files are overwritten.
func Extract(dir string) (string, error) {
	err := fs.WalkDir(files, Table, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		b, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o644)
	})
	if err != nil {
		return "", fault.New(fault.Unavailable, "write the sample table: %w", err)
	}
	return filepath.Join(dir, Table), nil
}
