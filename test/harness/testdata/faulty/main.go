// faulty is a process with the faults that the harness must notice; GET /NAME of a fault provokes it.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/race", func(http.ResponseWriter, *http.Request) {
		n := 0
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() { n++ })
		}
		group.Wait()
	})
	http.HandleFunc("/recovered", func(http.ResponseWriter, *http.Request) { // as the CloudEvents SDK does
		defer func() { fmt.Fprintf(os.Stderr, "call to Invoker.Invoke(...) has panicked: %v\n", recover()) }()
		var handler func()
		handler()
	})
	http.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { go panic("in a goroutine of its own") })
	http.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(0) })
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT")}
	go func() { _ = server.ListenAndServe() }()
	<-ctx.Done()
	switch os.Getenv("STOP") {
	case "deaf":
		time.Sleep(time.Hour)
	case "fails":
		os.Exit(3)
	}
}
