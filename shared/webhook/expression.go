package webhook

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// What an expression may cost. It is the Webhook's maker who writes it, and the sender who says how large what it goes over is.
const (
	// maxCost is in CEL's units: about one for each step. It takes some hundredths of a second.
	maxCost = 100_000
	// within is for all expressions of a delivery together.
	within = time.Second
	// askEvery is how many steps of a loop pass between two looks at the clock.
	askEvery = 100
	// maxSize is how many characters an expression may have; the schema says the same.
	maxSize = 4096
)

// environment has the standard library of CEL and no extension: all that it has is counted by its cost tracker. Those for strings can
// make a gigabyte of a kilobyte in one step.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("body", cel.DynType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("id", cel.StringType),
		cel.ParserExpressionSizeLimit(maxSize), cel.ParserRecursionLimit(50),
	)
})

// kind is what an expression is to yield.
type kind int

const (
	truth kind = iota
	text
)

type expression struct{ program cel.Program }

// compile reads an expression, and refuses one that can't yield what it is for.
func compile(source string, of kind) (*expression, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	if len(source) > maxSize {
		return nil, fmt.Errorf("it has more than %d characters", maxSize)
	}
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, errors.New(inert.Fit(strings.Join(strings.Fields(issues.Err().Error()), " "), 300))
	}
	switch out := ast.OutputType(); {
	case out.IsEquivalentType(cel.DynType):
	case of == truth && !out.IsEquivalentType(cel.BoolType):
		return nil, fmt.Errorf("it yields %s, not true or false", out)
	case of == text && (out.Kind() == types.ListKind || out.Kind() == types.MapKind || out.Kind() == types.NullTypeKind):
		return nil, fmt.Errorf("it yields %s, not a text or a number", out)
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost), cel.CostTracking(bySize{}),
		cel.InterruptCheckFrequency(askEvery), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err
	}
	return &expression{program}, nil
}

// bySize charges for what is made, a unit for ten bytes as CEL's own tracker does where it knows the types: of a body it knows none until
// the expression runs, and then takes the making of any text for one step. So all that one expression makes has a megabyte at most.
type bySize struct{}

// CallCost is what a call costs, nil for what CEL's tracker says.
func (bySize) CallCost(_, _ string, _ []ref.Val, result ref.Val) *uint64 {
	var made int
	switch v := result.(type) {
	case types.String:
		made = len(v)
	case types.Bytes:
		made = len(v)
	default:
		return nil
	}
	cost := 1 + uint64(made)/10
	return &cost
}

// eval is the value for a delivery.
func (e *expression) eval(ctx context.Context, d *Delivery) (any, error) {
	v, _, err := e.program.ContextEval(ctx, map[string]any{"body": d.Payload, "headers": plain(d.Header), "id": d.ID})
	if err != nil {
		return nil, errors.New(inert.Fit(err.Error(), 300))
	}
	return value(v), nil
}

// value is what of CEL's values a text can be made of; others stay CEL's.
func value(v ref.Val) any {
	switch v := v.(type) {
	case types.String:
		return string(v)
	case types.Bool:
		return bool(v)
	case types.Int:
		return int64(v)
	case types.Uint:
		return uint64(v)
	case types.Double:
		return float64(v)
	}
	return v
}

// textOf is a value as an environment variable has it.
func textOf(v any) (string, error) {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case bool:
		s = strconv.FormatBool(v)
	case int64:
		s = strconv.FormatInt(v, 10)
	case uint64:
		s = strconv.FormatUint(v, 10)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return "", fmt.Errorf("it yields %s, not a text or a number", kindOf(v))
	}
	if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		return "", errors.New("it yields a text that no variable can hold: it has a NUL byte, or is not UTF-8")
	}
	return s, nil
}

func kindOf(v any) string {
	if v, ok := v.(ref.Val); ok {
		return v.Type().TypeName()
	}
	return fmt.Sprintf("%T", v)
}
