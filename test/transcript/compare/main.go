// compare PAGE BY LOG says where a log is not what a page shows as "printed by" BY.
package main

import (
	"fmt"
	"os"

	"github.com/kf-tasks/kf-tasks/test/transcript"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: compare PAGE BY LOG")
		os.Exit(2)
	}
	page, err := os.ReadFile(os.Args[1])
	log, err2 := os.ReadFile(os.Args[3])
	if err == nil && err2 == nil {
		err = transcript.Compare(string(page), os.Args[2], string(log))
	}
	for _, e := range []error{err, err2} {
		if e != nil {
			fmt.Fprintf(os.Stderr, "%s shows what %s no longer prints:\n%v\n", os.Args[1], os.Args[2], e)
			os.Exit(1)
		}
	}
}
