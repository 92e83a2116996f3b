package exec

import (
	"context"
	"slices"
	"sync"

	"lanceflight/vecindex/calibrate"
)

// calibrationKey names a calibration: a version of a table does not change, nor do the files of an index.
type calibrationKey struct {
	table    string
	version  uint64
	branch   string
	segments string // their indexKeys
	column   string
	k        int
	vectors  int // of a query over lists of vectors, or 0
}

// Bounds of the calibrations kept. One takes some hundred kilobytes: queries, and the row ids of their answers.
const (
	maxCalibrations     = 64
	maxCalibrationBytes = 64 << 20
)

// calibrationCache keeps calibrations, and forgets those that were used least recently. Safe for concurrent use.
type calibrationCache struct {
	mu      sync.Mutex
	entries map[calibrationKey]*calibrationEntry
	age     []calibrationKey // least recently used first
}

type calibrationEntry struct {
	turn  chan struct{} // has a token while nobody makes it
	made  *calibrate.Calibration
	bytes int64 // guarded by the cache's lock
}

// get returns the calibration of a key, made by build if it is not there. Callers that come while it is being made wait for it, or make it
// themselves if that fails.
func (c *calibrationCache) get(ctx context.Context, key calibrationKey, build func() (*calibrate.Calibration, error)) (*calibrate.Calibration, error) {
	e := c.entry(key)
	select {
	case <-e.turn:
		defer func() { e.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if e.made != nil {
		return e.made, nil
	}
	made, err := build()
	if err != nil {
		return nil, err
	}
	e.made = made
	c.mu.Lock()
	defer c.mu.Unlock()
	e.bytes = made.SizeBytes()
	c.shrink()
	return made, nil
}

func (c *calibrationCache) entry(key calibrationKey) *calibrationEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil {
		at := slices.Index(c.age, key)
		c.age = append(slices.Delete(c.age, at, at+1), key)
		return e
	}
	e := &calibrationEntry{turn: make(chan struct{}, 1)}
	e.turn <- struct{}{}
	if c.entries == nil {
		c.entries = map[calibrationKey]*calibrationEntry{}
	}
	c.entries[key] = e
	c.age = append(c.age, key)
	c.shrink()
	return e
}

// shrink forgets the oldest until the rest is within the bounds; those that are being made end with their callers.
func (c *calibrationCache) shrink() {
	var bytes int64
	for _, e := range c.entries {
		bytes += e.bytes
	}
	for len(c.age) > 1 && (len(c.age) > maxCalibrations || bytes > maxCalibrationBytes) {
		bytes -= c.entries[c.age[0]].bytes
		delete(c.entries, c.age[0])
		c.age = c.age[1:]
	}
}

func (c *calibrationCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries, c.age = nil, nil
}
