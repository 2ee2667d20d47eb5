// hello is what a function is compared with: a program that answers, on the functions' base image, and does nothing else.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { //nolint:gosec // nobody else calls it
		_, _ = io.WriteString(w, "ok\n") // the caller may be gone
	})))
}
