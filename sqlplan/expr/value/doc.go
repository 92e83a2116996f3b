// Package value holds arrays as the kernels of expressions see them: Vec, an array or one value for all
// rows; readers of its values by row (Nums, Texts, Words, Bools); writers of new arrays; and KernelCall,
// the arguments and the NULLs of one call of a kernel. A kernel is a func(*KernelCall) (arrow.Array,
// error). It borrows the arguments and gives the result away. The package knows types by their Kind and
// has no expressions.
package value
