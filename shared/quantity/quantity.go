// Package quantity reads amounts as Cloud Foundry's users write them: cf's units are powers of 1024, whatever their letters'
// case (code.cloudfoundry.org/bytefmt). 1.5G is 1536 MiB wherever people say it, in the CLI and in events. In an object it is
// what it is in Kubernetes, 1.5 times ten to the ninth: what is read here is written there in units that have one meaning.
package quantity

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// amount is a number with its unit.
var amount = regexp.MustCompile(`^([0-9]{1,18}(?:\.[0-9]{1,18})?)([KMGTP])(?:B|I|IB)?$`)

var number = regexp.MustCompile(`^[+-]?[0-9.]+$`)

// units are Kubernetes' powers of 1024.
var units = []string{"", "Ki", "Mi", "Gi", "Ti", "Pi"}

// Bytes turns an amount of memory or disk into Kubernetes' quantity. It has a unit, is above zero, and whole bytes; "" is "".
func Bytes(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	m := amount.FindStringSubmatch(strings.ToUpper(s))
	switch {
	case strings.HasPrefix(s, "-"):
		return "", fmt.Errorf("%.80s is below zero", s)
	case m == nil && number.MatchString(s):
		example := strings.Trim(s, "+")
		if strings.Trim(example, "0.") == "" {
			example = "512" // nothing of any unit would be refused next
		}
		return "", fmt.Errorf("%.80s has no unit: write, for example, %sM", s, example)
	case m == nil:
		return "", fmt.Errorf("%.80s is not a quantity: write, for example, 512M or 1G", s)
	}
	n, ok := new(big.Rat).SetString(m[1])
	if !ok || n.Sign() == 0 {
		return "", fmt.Errorf("%.80s is nothing: write, for example, 512M or 1G", s)
	}
	for power := strings.Index("KMGTP", m[2]) + 1; power >= 0; power-- {
		if n.IsInt() {
			return n.Num().String() + units[power], nil
		}
		n.Mul(n, big.NewRat(1024, 1))
	}
	return "", fmt.Errorf("%.80s is no whole number of bytes", s)
}

// Cores checks a number of CPU cores, as Kubernetes writes it; "" is "".
func Cores(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	q, err := resource.ParseQuantity(s)
	switch {
	case err != nil:
		return "", fmt.Errorf("%.80s is not a quantity: write, for example, 1, 0.5 or 500m", s)
	case q.Sign() <= 0:
		return "", fmt.Errorf("%.80s is not above zero", s)
	}
	return s, nil
}
