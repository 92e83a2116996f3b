package inspect

import (
	"context"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// maxTransactionBytes bounds a transaction file that is read.
const maxTransactionBytes = 1 << 30

// Transaction reports the bytes of the transaction file that made a version, with at most lines lines (0:
// hexdump.MaxLines). A version without one is fault.NotFound.
func Transaction(ctx context.Context, s *lancefmt.Snapshot, lines int) (*BytesReport, error) {
	name := s.Manifest().TransactionFile
	if name == "" {
		return nil, fault.New(fault.NotFound, "version %d names no transaction file", s.Version())
	}
	dir := ""
	if s.Branch() != "" {
		dir = table.BranchDir(s.Branch())
	}
	name = dir + "_transactions/" + name
	data, err := storage.ReadAll(ctx, s.Store(), name, maxTransactionBytes)
	if err != nil {
		return nil, err
	}
	return &BytesReport{File: name, Sections: table.DescribeTransaction(data, lines)}, nil
}
