//go:build !unix

package mmap

import (
	"errors"
	"os"
)

var errNoMapping = errors.New("files are not mapped on this system")

func mapFile(*os.File, int) ([]byte, error) { return nil, errNoMapping }

func unmapFile([]byte) error { return nil }
