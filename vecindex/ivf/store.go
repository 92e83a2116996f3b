package ivf

import (
	"context"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/hnsw"
)

// Store gives out the partitions of one index. It is safe for concurrent use.
type Store interface {
	// Partition returns partition p, 0 <= p < number of lengths in the Model. The caller calls
	// Release once it is done with it.
	Partition(ctx context.Context, p int) (Partition, error)
	// Close releases what the store holds; partitions handed out stay valid. It is idempotent.
	Close() error
}

// Partition is the content of one partition; read-only.
type Partition struct {
	RowIDs []uint64
	Codes  []byte // len(RowIDs) × Quantizer.CodeBytes(), laid out as the quantizer wants
	// Graph links the rows, if they are worth walking to instead of scanning all; nil if they are not.
	Graph     *hnsw.Graph
	BytesRead int64 // bytes that were read from storage for it; 0 if it was at hand
	// Release gives the partition back; nil if there is nothing to do.
	Release func()
}

func (p Partition) release() {
	if p.Release != nil {
		p.Release()
	}
}

// MemStore is a Store of partitions in memory.
type MemStore []Partition

// Partition implements Store.
func (s MemStore) Partition(ctx context.Context, p int) (Partition, error) {
	if err := ctx.Err(); err != nil {
		return Partition{}, err
	}
	if p < 0 || p >= len(s) {
		return Partition{}, fault.New(fault.Internal, "partition %d of %d", p, len(s))
	}
	return s[p], nil
}

// Close implements Store.
func (s MemStore) Close() error { return nil }
