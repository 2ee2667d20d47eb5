// site makes a site of the project's pages and of what its code says of itself: fields, commands, events, settings, reasons. It needs
// nothing but the folder of the project. A link that leads nowhere, or a page that is in no section, is an error.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	root := flag.String("root", ".", "folder of the project")
	out := flag.String("out", "dist/site", "folder that the site is written to")
	source := flag.String("source", "https://github.com/kf-tasks/kf-tasks/blob/main/", "where files of the project are that are no pages")
	flag.Parse()
	s, err := gather(*root, *source)
	if err == nil {
		err = s.write(*out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d pages in %s: open %s/index.html\n", len(s.pages), *out, *out)
}
