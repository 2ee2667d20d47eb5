// Package strictjson reads JSON that comes from outside: what two readers understand differently, or what costs a reader more
// than it is worth, is an error.
package strictjson

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"sigs.k8s.io/json"
)

// MaxDepth is how deep JSON may be nested. A PipelineRun of somebody's own pipeline reaches twenty or so.
const MaxDepth = 64

// Check says what keeps JSON from being read: bad UTF-8, which decoders mend each in its own way, and a depth that costs
// them a stack. It does not check the rest, which they do.
func Check(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not UTF-8")
	}
	depth, quoted, escaped := 0, false, false
	for _, c := range data {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("the JSON is nested deeper than %d", MaxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// Decode reads any JSON. A member that is there twice is an error. Whole numbers are int64 where they fit, others float64.
func Decode(data []byte) (any, error) {
	if err := Check(data); err != nil {
		return nil, err
	}
	var v any
	unfit, err := json.UnmarshalStrict(data, &v)
	if err = errors.Join(append(unfit, err)...); err != nil {
		return nil, err
	}
	return v, nil
}
