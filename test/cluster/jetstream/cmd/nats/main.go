// nats is one server of NATS, as nats-server's own main starts it: a program of this module, so that it is built as the others are.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	flags := flag.NewFlagSet("nats", flag.ExitOnError)
	opts, err := server.ConfigureOptions(flags, os.Args[1:], server.PrintServerAndExit, flags.PrintDefaults, server.PrintTLSHelpAndDie)
	if err != nil {
		server.PrintAndDie(fmt.Sprint("nats: ", err))
	}
	s, err := server.NewServer(opts)
	if err != nil {
		server.PrintAndDie(fmt.Sprint("nats: ", err))
	}
	s.ConfigureLogger()
	if err := server.Run(s); err != nil {
		server.PrintAndDie(fmt.Sprint("nats: ", err))
	}
	s.WaitForShutdown()
}
