package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// FunctionInfo describes a function for the server's metadata.
type FunctionInfo struct {
	Name     string
	Category string // "numeric", "string", "datetime", "list", "conditional", "vector", "system", "aggregate"
	// Volatility, Cost and Fails are what the function states about itself. Cost and Fails are zero for
	// aggregate functions and for functions that become another expression.
	Volatility Volatility
	Cost       Cost
	Fails      Failure
}

// argClass says what an argument has to be.
type argClass uint8

const (
	anyArg    argClass = iota // any type, dictionaries decoded
	openArg                   // anyArg whose type the other arguments decide, if it is not known
	textArg                   // a string, in any layout
	intArg                    // becomes BIGINT
	floatArg                  // becomes DOUBLE
	numberArg                 // any number, as it is
	boolArg
	bytesArg   // a binary; string literals convert
	stringArg  // a string or a binary
	instantArg // a date or a timestamp, as it is
	listArg
	listOrText // a list, or a string
	vectorArg  // a list of numbers, or a constant that converts to one
	vectorsArg // that, or a list of such lists
)

// function is a scalar function.
type function struct {
	name     string
	aliases  []string
	category string
	// args are the classes of the arguments; the last one repeats if variadic. Those from optional
	// on may be left out.
	args     []argClass
	required int // number of arguments that must be there; 0 = all of args
	variadic bool
	// out is the type of the result; result decides it where it depends on the arguments, which it
	// may convert further.
	out    arrow.DataType
	result func(args []Expr) ([]Expr, arrow.DataType, error)
	// rewrite makes another expression instead of a Call.
	rewrite func(args []Expr) (Expr, error)
	// kernel makes the kernel of a call, once per program.
	kernel func(e *Call) (func(*call) (arrow.Array, error), error)

	loose, lazy bool // see kernelNode

	// volatility, cost and fails are what the planner may know of a call; see traits.go. A function
	// with a rewrite states only its volatility: the rest is told by the expression that it becomes.
	volatility Volatility
	cost       Cost
	fails      Failure
	options    []int // the arguments that FailsOnOption is about
}

// functionTable holds every function under its name and aliases.
var functionTable = map[string]*function{}

// register is called from the init functions of the files that define functions. It panics for a
// function that does not state its volatility, its cost and whether it can fail.
func register(fns ...*function) {
	for _, f := range fns {
		switch {
		case f.volatility == 0:
			panic("expr: function " + f.name + " does not state its volatility")
		case f.rewrite == nil && (f.cost == 0 || f.fails == 0):
			panic("expr: function " + f.name + " does not state what it costs and whether it can fail")
		case (f.fails == FailsOnOption) != (len(f.options) > 0):
			panic("expr: function " + f.name + " fails on options and names none, or the other way round")
		}
		for _, name := range append([]string{f.name}, f.aliases...) {
			if functionTable[name] != nil {
				panic("expr: function " + name + " is defined twice")
			}
			functionTable[name] = f
		}
	}
}

// FunctionNames lists the scalar and aggregate functions, sorted by name; aliases are listed too.
func FunctionNames() []FunctionInfo {
	out := make([]FunctionInfo, 0, len(functionTable)+len(aggregates))
	for name, f := range functionTable {
		if inner(name) {
			continue
		}
		out = append(out, FunctionInfo{Name: name, Category: f.category, Volatility: f.volatility, Cost: f.cost, Fails: f.fails})
	}
	for name := range aggregates {
		out = append(out, FunctionInfo{Name: name, Category: "aggregate", Volatility: Immutable})
	}
	slices.SortFunc(out, func(a, b FunctionInfo) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// inner says whether a function is only reached through a rewrite of another one.
func inner(name string) bool { return strings.HasPrefix(name, "$") }

// NewCall is a scalar function by its lower-case name or an alias. Unknown names are InvalidArgument
// with the nearest names; wrong arguments say what the function takes.
func NewCall(name string, args []Expr) (Expr, error) {
	f := functionTable[name]
	if f == nil {
		if IsAggregate(name) {
			return nil, fault.New(fault.InvalidArgument, "%s is an aggregate function and cannot be used here", name)
		}
		if name == "unnest" {
			return nil, fault.New(fault.Unsupported, "unnest: lists are not taken apart into rows")
		}
		var names []string
		for n := range functionTable {
			if !inner(n) {
				names = append(names, n)
			}
		}
		for n := range aggregates {
			names = append(names, n)
		}
		return nil, fault.New(fault.InvalidArgument, "there is no function %s%s", name, didYouMean(name, names))
	}
	args, err := f.check(name, args)
	if err != nil {
		return nil, err
	}
	if f.rewrite != nil {
		return f.rewrite(args)
	}
	out := f.out
	if f.result != nil {
		if args, out, err = f.result(args); err != nil {
			return nil, err
		}
	}
	e := &Call{Name: strings.TrimPrefix(f.name, "$"), Args: args, T: out, fn: f}
	if _, err := f.kernel(e); err != nil { // constant arguments are checked here
		return nil, err
	}
	return e, nil
}

// check counts and converts the arguments.
func (f *function) check(name string, args []Expr) ([]Expr, error) {
	least, most := len(f.args), len(f.args)
	if f.required > 0 {
		least = f.required
	}
	if len(args) < least || len(args) > most && !f.variadic {
		count := fmt.Sprintf("%d", least)
		switch {
		case f.variadic:
			count = fmt.Sprintf("at least %d", least)
		case most == least+1:
			count = fmt.Sprintf("%d or %d", least, most)
		case most > least:
			count = fmt.Sprintf("%d to %d", least, most)
		}
		if f.required == 0 && len(f.args) == 0 {
			count = "no"
		}
		plural := "s"
		if count == "1" {
			plural = ""
		}
		return nil, fault.New(fault.InvalidArgument, "%s takes %s argument%s, not %d", name, count, plural, len(args))
	}
	out := make([]Expr, len(args))
	for i, a := range args {
		class := f.args[min(i, len(f.args)-1)]
		c, err := class.convert(a)
		if err != nil {
			return nil, err
		}
		if c == nil {
			if err := beyond(a.Type()); err != nil {
				return nil, err
			}
			return nil, fault.New(fault.InvalidArgument, "argument %d of %s has to be %s, but %s is %s", i+1, name, classNames[class], shortText(a), TypeName(a.Type()))
		}
		out[i] = c
	}
	return out, nil
}

var classNames = [...]string{
	anyArg: "any value", openArg: "any value", textArg: "VARCHAR", intArg: "an integer", floatArg: "a number", numberArg: "a number", boolArg: "BOOLEAN",
	bytesArg: "BLOB", stringArg: "VARCHAR or BLOB", instantArg: "DATE or TIMESTAMP", listArg: "a list", listOrText: "a list or VARCHAR", vectorArg: "a vector", vectorsArg: "a vector",
}

// convert converts an argument to a class; nil if it does not convert silently.
func (class argClass) convert(x Expr) (Expr, error) {
	if class == openArg {
		return x, nil
	}
	if class == listArg || class == vectorArg || class == vectorsArg || class == listOrText {
		x = implicitCast(x, plain(x.Type()))
	} else {
		x = decoded(x)
	}
	k := kindOf(x.Type())
	open := undecided(x) || unknownString(x)
	switch class {
	case anyArg:
		if _, ok := x.(*Param); ok && undecided(x) {
			return Coerce(x, tText)
		}
		return x, nil
	case textArg:
		if k == kText {
			return x, nil
		}
		if undecided(x) {
			return Coerce(x, tText)
		}
	case intArg:
		if open || k.integer() && implicit(x.Type(), tInt64) {
			return Coerce(x, tInt64)
		}
		if k == kUint {
			return implicitCast(x, tInt64), nil
		}
		if l, ok := x.(*Literal); ok && k.numeric() {
			if c, ok := sameNumber(l, tInt64); ok {
				return c, nil
			}
		}
	case floatArg:
		if open || k.numeric() {
			return Coerce(x, tFloat64)
		}
	case numberArg:
		if open {
			return Coerce(x, tFloat64)
		}
		if k.numeric() {
			return x, nil
		}
	case boolArg:
		if open || k == kBool {
			return Coerce(x, tBool)
		}
	case bytesArg:
		if k == kBinary {
			return x, nil
		}
		if open {
			return Coerce(x, tBinary)
		}
	case stringArg:
		if k == kText || k == kBinary {
			return x, nil
		}
		if undecided(x) {
			return Coerce(x, tText)
		}
	case instantArg:
		if k == kDate || k == kTimestamp || k == kTime || k == kInterval {
			return x, nil
		}
		if open {
			return Coerce(x, tTimestamp)
		}
	case listArg:
		if k == kList {
			return x, nil
		}
		if undecided(x) {
			return Coerce(x, arrow.ListOf(tFloat64))
		}
	case listOrText:
		if k == kList || k == kText {
			return x, nil
		}
	case vectorsArg:
		if listOfLists(x) {
			return x, nil
		}
		return vectorArg.convert(x)
	case vectorArg:
		_, isConst := x.(*Literal)
		if open || k == kList && kindOf(plain(elemOf(x.Type()))).numeric() || isConst && (k == kList || k == kBinary) {
			return x, nil
		}
		if _, ok := x.(*Param); ok {
			return x, nil
		}
	}
	return nil, nil
}

func (c *compiler) call(e *Call, args []node) (node, error) {
	run, err := e.fn.kernel(e)
	if err != nil {
		return nil, err
	}
	return &kernelNode{args: args, t: e.T, loose: e.fn.loose, lazy: e.fn.lazy, run: run}, nil
}

// ReadsClock says whether a lower-case name is that of a function whose value is the time at which the
// statement is bound.
func ReadsClock(name string) bool {
	f := functionTable[name]
	return f != nil && f.volatility == Stable
}
