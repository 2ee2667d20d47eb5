package follow

import (
	"errors"
	"io"
)

// Read delivers the lines of a log of which nothing is to come, in the form in which a kubelet gives it with times: one that was kept.
// It heeds o.Since and o.Idle.
func Read(r io.Reader, o Options, deliver func(Line) error) (Result, error) {
	f := &follower{o: o, deliver: deliver}
	err := f.read(newLineReader(&watchedReader{r: r, idle: o.Idle}), newSeam(Cursor{}), false, true)
	var taker takerError
	if errors.As(err, &taker) {
		err = taker.error
	}
	f.res.Whole = err == nil
	return f.res, err
}
