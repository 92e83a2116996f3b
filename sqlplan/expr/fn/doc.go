// Package fn holds the scalar functions of SQL, one family a file. A function is one entry of a call of
// expr.Register: its name, the classes of its arguments, the type of its result, its kernel, and what
// it costs, whether it can fail and whether it is volatile. Importing the package makes the functions
// known to expr.NewCall.
package fn
