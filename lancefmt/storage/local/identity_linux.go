package local

import (
	"encoding/binary"
	"hash/maphash"
	"io/fs"
	"syscall"
)

var identitySeed = maphash.MakeSeed()

// identity tells a file from another that had its name before: by inode, and by the time that the inode
// last changed, because a new file may get the inode of the one that was removed.
func identity(info fs.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	var b [32]byte
	binary.LittleEndian.PutUint64(b[0:], st.Dev)
	binary.LittleEndian.PutUint64(b[8:], st.Ino)
	binary.LittleEndian.PutUint64(b[16:], uint64(st.Ctim.Sec))
	binary.LittleEndian.PutUint64(b[24:], uint64(st.Ctim.Nsec))
	return maphash.Bytes(identitySeed, b[:])
}
