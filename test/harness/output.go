package harness

import "os"

// Printed is what the function's process has written to its standard output and error, in all its lives.
func (f *Function) Printed() ([]byte, error) { return os.ReadFile(f.log.Name()) }
