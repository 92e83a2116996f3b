package expr

// What the tests outside of the package look at.
var (
	Lossless  = lossless
	Mask      = mask
	Mismatch  = mismatch
	SameValue = sameValue
)
