package v20

import "unsafe"

// aligned says whether values of so many bytes may be used where b lies: Arrow's kernels load
// numbers of up to eight bytes directly.
func aligned(b []byte, width int) bool {
	align := width & -width // largest power of two in the width
	if align > 8 {
		align = 8
	}
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%uintptr(align) == 0
}
