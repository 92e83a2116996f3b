package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
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

// ArgClass says what an argument has to be.
type ArgClass uint8

const (
	AnyArg    ArgClass = iota // any type, dictionaries decoded
	OpenArg                   // AnyArg whose type the other arguments decide, if it is not known
	TextArg                   // a string, in any layout
	IntArg                    // becomes BIGINT
	FloatArg                  // becomes DOUBLE
	NumberArg                 // any number, as it is
	BoolArg
	BytesArg   // a binary; string literals convert
	StringArg  // a string or a binary
	InstantArg // a date or a timestamp, as it is
	ListArg
	ListOrText // a list, or a string
	VectorArg  // a list of numbers, or a constant that converts to one
	VectorsArg // that, or a list of such lists
)

// Function is a scalar function.
type Function struct {
	Name     string
	Aliases  []string
	Category string
	// Args are the classes of the arguments; the last one repeats if variadic. Those from optional
	// on may be left out.
	Args     []ArgClass
	Required int // number of arguments that must be there; 0 = all of args
	Variadic bool
	// Out is the type of the result; result decides it where it depends on the arguments, which it
	// may convert further.
	Out    arrow.DataType
	Result func(args []Expr) ([]Expr, arrow.DataType, error)
	// Rewrite makes another expression instead of a Call.
	Rewrite func(args []Expr) (Expr, error)
	// Kernel makes the kernel of a call, once per program.
	Kernel func(e *Call) (func(*value.KernelCall) (arrow.Array, error), error)

	Loose, Lazy bool // see kernelNode

	// Volatility, cost and fails are what the planner may know of a call; see traits.go. A function
	// with a rewrite states only its volatility: the rest is told by the expression that it becomes.
	Volatility Volatility
	Cost       Cost
	Fails      Failure
	Options    []int // the arguments that FailsOnOption is about
}

// functionTable holds every function under its name and aliases.
var functionTable = map[string]*Function{}

// Register is called from the init functions of the files that define functions. It panics for a
// function that does not state its volatility, its cost and whether it can fail.
func Register(fns ...*Function) {
	for _, f := range fns {
		switch {
		case f.Volatility == 0:
			panic("expr: function " + f.Name + " does not state its volatility")
		case f.Rewrite == nil && (f.Cost == 0 || f.Fails == 0):
			panic("expr: function " + f.Name + " does not state what it costs and whether it can fail")
		case (f.Fails == FailsOnOption) != (len(f.Options) > 0):
			panic("expr: function " + f.Name + " fails on options and names none, or the other way round")
		}
		for _, name := range append([]string{f.Name}, f.Aliases...) {
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
		out = append(out, FunctionInfo{Name: name, Category: f.Category, Volatility: f.Volatility, Cost: f.Cost, Fails: f.Fails})
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
		return nil, fault.New(fault.InvalidArgument, "there is no function %s%s", name, DidYouMean(name, names))
	}
	args, err := f.check(name, args)
	if err != nil {
		return nil, err
	}
	if f.Rewrite != nil {
		return f.Rewrite(args)
	}
	out := f.Out
	if f.Result != nil {
		if args, out, err = f.Result(args); err != nil {
			return nil, err
		}
	}
	e := &Call{Name: strings.TrimPrefix(f.Name, "$"), Args: args, T: out, fn: f}
	if _, err := f.Kernel(e); err != nil { // constant arguments are checked here
		return nil, err
	}
	return e, nil
}

// check counts and converts the arguments.
func (f *Function) check(name string, args []Expr) ([]Expr, error) {
	least, most := len(f.Args), len(f.Args)
	if f.Required > 0 {
		least = f.Required
	}
	if len(args) < least || len(args) > most && !f.Variadic {
		count := fmt.Sprintf("%d", least)
		switch {
		case f.Variadic:
			count = fmt.Sprintf("at least %d", least)
		case most == least+1:
			count = fmt.Sprintf("%d or %d", least, most)
		case most > least:
			count = fmt.Sprintf("%d to %d", least, most)
		}
		if f.Required == 0 && len(f.Args) == 0 {
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
		class := f.Args[min(i, len(f.Args)-1)]
		c, err := class.convert(a)
		if err != nil {
			return nil, err
		}
		if c == nil {
			if err := value.NotComputed(a.Type()); err != nil {
				return nil, err
			}
			return nil, fault.New(
				fault.InvalidArgument,
				"argument %d of %s has to be %s, but %s is %s",
				i+1,
				name,
				classNames[class],
				ShortText(a),
				value.TypeName(a.Type()),
			)
		}
		out[i] = c
	}
	return out, nil
}

var classNames = [...]string{
	AnyArg: "any value", OpenArg: "any value", TextArg: "VARCHAR", IntArg: "an integer", FloatArg: "a number",
	NumberArg: "a number", BoolArg: "BOOLEAN",
	BytesArg: "BLOB", StringArg: "VARCHAR or BLOB", InstantArg: "DATE or TIMESTAMP", ListArg: "a list",
	ListOrText: "a list or VARCHAR", VectorArg: "a vector", VectorsArg: "a vector",
}

// convert converts an argument to a class; nil if it does not convert silently.
func (class ArgClass) convert(x Expr) (Expr, error) {
	if class == OpenArg {
		return x, nil
	}
	if class == ListArg || class == VectorArg || class == VectorsArg || class == ListOrText {
		x = ImplicitCast(x, value.PlainType(x.Type()))
	} else {
		x = Decoded(x)
	}
	k := value.KindOf(x.Type())
	open := Undecided(x) || UnknownString(x)
	switch class {
	case AnyArg:
		if _, ok := x.(*Param); ok && Undecided(x) {
			return GuessType(x, value.TypeText)
		}
		return x, nil
	case TextArg:
		if k == value.KindText {
			return x, nil
		}
		if Undecided(x) {
			return Coerce(x, value.TypeText)
		}
	case IntArg:
		if open || k.Integer() && implicit(x.Type(), value.TypeInt64) {
			return Coerce(x, value.TypeInt64)
		}
		if k == value.KindUint {
			return ImplicitCast(x, value.TypeInt64), nil
		}
		if l, ok := x.(*Literal); ok && k.Numeric() {
			if c, ok := SameNumber(l, value.TypeInt64); ok {
				return c, nil
			}
		}
	case FloatArg:
		if open || k.Numeric() {
			return Coerce(x, value.TypeFloat64)
		}
	case NumberArg:
		if open {
			return GuessType(x, value.TypeFloat64)
		}
		if k.Numeric() {
			return x, nil
		}
	case BoolArg:
		if open || k == value.KindBool {
			return Coerce(x, value.TypeBool)
		}
	case BytesArg:
		if k == value.KindBinary {
			return x, nil
		}
		if open {
			return Coerce(x, value.TypeBinary)
		}
	case StringArg:
		if k == value.KindText || k == value.KindBinary {
			return x, nil
		}
		if Undecided(x) {
			return GuessType(x, value.TypeText)
		}
	case InstantArg:
		if k == value.KindDate || k == value.KindTimestamp || k == value.KindTime || k == value.KindInterval {
			return x, nil
		}
		if l, ok := x.(*Literal); ok && UnknownString(x) && cast.HasZone(l.Value.(string)) {
			return Coerce(x, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"})
		}
		if open {
			return GuessType(x, value.TypeTimestamp)
		}
	case ListArg:
		if k == value.KindList {
			return x, nil
		}
		if Undecided(x) {
			return GuessType(x, arrow.ListOf(value.TypeFloat64))
		}
	case ListOrText:
		if k == value.KindList || k == value.KindText {
			return x, nil
		}
		if Undecided(x) && !isNull(x) {
			return GuessType(x, value.TypeText)
		}
	case VectorsArg:
		if ListOfLists(x) {
			return x, nil
		}
		return VectorArg.convert(x)
	case VectorArg:
		_, isConst := x.(*Literal)
		if open || k == value.KindList && value.KindOf(value.PlainType(value.ElemOf(x.Type()))).Numeric() ||
			isConst && (k == value.KindList || k == value.KindBinary) {
			return x, nil
		}
		if _, ok := x.(*Param); ok {
			return x, nil
		}
	}
	return nil, nil
}

func (c *compiler) call(e *Call, args []node) (node, error) {
	run, err := e.fn.Kernel(e)
	if err != nil {
		return nil, err
	}
	return &kernelNode{args: args, t: e.T, loose: e.fn.Loose, lazy: e.fn.Lazy, run: run}, nil
}

// ReadsClock says whether a lower-case name is that of a function whose value is the time at which the
// execution of the statement begins.
func ReadsClock(name string) bool {
	f := functionTable[name]
	return f != nil && f.Volatility == Stable
}
