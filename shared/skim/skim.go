// Package skim reads JSON for a part of what it holds, and steps over the rest without decoding it. To decode a hundred
// thousand objects takes most of a minute, and of nearly all of them a few fields say that there is nothing to do.
//
// It is for what an API server writes: whether the parts that are stepped over are sound JSON, nobody looks.
package skim

import (
	"bytes"
	"errors"
	"slices"
)

var errBroken = errors.New("JSON that breaks off, or is none")

// Object calls each with the members of an object in their order: the key as it is written, without quotes, and the value as it
// is written. Both are parts of b.
func Object(b []byte, each func(key, value []byte) error) error {
	_, err := members(b, '{', '}', whole(each))
	return err
}

// Array calls each with the elements of an array.
func Array(b []byte, each func(value []byte) error) error {
	_, err := Elements(b, each)
	return err
}

// Walk calls each with the members of the object that b begins with. Each is given the value and all that follows it, and says how much
// of that the value is: 0 to have it stepped over. So what is nested is read once, and not at each depth. It says how long the object is.
func Walk(b []byte, each func(key, rest []byte) (length int, err error)) (length int, err error) {
	return members(b, '{', '}', each)
}

// Elements is Array for the array that b begins with, and says how long that is.
func Elements(b []byte, each func(value []byte) error) (length int, err error) {
	return members(b, '[', ']', whole(func(_, value []byte) error { return each(value) }))
}

// whole is for whoever is to be given the value alone.
func whole(each func(key, value []byte) error) func(key, rest []byte) (int, error) {
	return func(key, rest []byte) (int, error) {
		length := end(rest, 0)
		if length <= 0 {
			return length, nil
		}
		return length, each(key, rest[:length])
	}
}

var errEnough = errors.New("enough")

// Member is the value of a member of an object as it is written, a part of b; nil if it has none of that name.
func Member(b []byte, name string) (found []byte) {
	_, _ = members(b, '{', '}', func(key, rest []byte) (int, error) {
		if string(key) != name {
			return 0, nil
		}
		found = Value(rest)
		return 0, errEnough
	})
	return found
}

// Value is the value that b begins with; nil if it breaks off.
func Value(b []byte) []byte {
	if length := end(b, 0); length > 0 {
		return b[:length]
	}
	return nil
}

// First is the first element of an array; nil if it has none.
func First(b []byte) (first []byte) {
	_ = Array(b, func(value []byte) error {
		first = value
		return errEnough
	})
	return first
}

func members(b []byte, open, shut byte, each func(key, rest []byte) (int, error)) (int, error) {
	i := space(b, 0)
	if i == len(b) || b[i] != open {
		return 0, errBroken
	}
	for i = space(b, i+1); i < len(b) && b[i] != shut; {
		var key []byte
		if open == '{' {
			after := end(b, i)
			if b[i] != '"' || after < i+2 {
				return 0, errBroken
			}
			key = b[i+1 : after-1]
			if i = space(b, after); i == len(b) || b[i] != ':' {
				return 0, errBroken
			}
			i = space(b, i+1)
		}
		length, err := each(key, b[i:])
		if err != nil {
			return 0, err
		}
		if length == 0 {
			length = end(b, i) - i
		}
		if length <= 0 {
			return 0, errBroken
		}
		if i = space(b, i+length); i < len(b) && b[i] == ',' {
			i = space(b, i+1)
		} else if i == len(b) || b[i] != shut {
			return 0, errBroken
		}
	}
	if i == len(b) {
		return 0, errBroken
	}
	return i + 1, nil
}

// Without appends an object to a buffer, without some of its members and their members: those of the paths, {"metadata",
// "managedFields"} say.
func Without(to, object []byte, paths ...[]string) ([]byte, error) {
	to, _, err := without(to, object, paths)
	return to, err
}

// without says besides how long the object is that b begins with.
func without(to, b []byte, paths [][]string) (_ []byte, length int, err error) {
	to = append(to, '{')
	begun := len(to)
	length, err = Walk(b, func(key, rest []byte) (length int, err error) {
		var below [][]string
		for _, p := range paths {
			switch {
			case p[0] != string(key):
			case len(p) == 1:
				return 0, nil
			default:
				below = append(below, p[1:])
			}
		}
		if len(to) > begun {
			to = append(to, ',')
		}
		to = append(append(append(to, '"'), key...), '"', ':')
		if below != nil && len(rest) > 0 && rest[0] == '{' {
			to, length, err = without(to, rest, below)
			return length, err
		}
		if length = end(rest, 0); length > 0 {
			to = append(to, rest[:length]...)
		}
		return length, nil
	})
	return append(to, '}'), length, err
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// end is where the value ends that begins at i; -1 if it does not.
func end(b []byte, i int) int {
	if i == len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return endOfString(b, i)
	case '{', '[':
		return endOfNested(b, i)
	}
	if n := bytes.IndexAny(b[i:], ",]} \n\t\r"); n >= 0 {
		return i + n
	}
	return len(b)
}

// nests are the bytes that matter to where a nested value ends; the rest, most of what is between strings, is passed by.
var nests = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

func endOfNested(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		if !nests[b[i]] {
			continue
		}
		switch b[i] {
		case '"':
			after := endOfString(b, i)
			if after < 0 {
				return -1
			}
			i = after - 1
		case '{', '[':
			depth++
		default:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// endOfString is after the quote that ends it: one that an even number of backslashes stands before.
func endOfString(b []byte, i int) int {
	for at := i + 1; at < len(b); {
		n := bytes.IndexByte(b[at:], '"')
		if n < 0 {
			return -1
		}
		at += n + 1
		before := at - 2
		for before > i && b[before] == '\\' {
			before--
		}
		if (at-2-before)%2 == 0 {
			return at
		}
	}
	return -1
}

// Text is a string's value as it is written, where it holds no escape, as names do not; "" for anything else.
func Text(value []byte) string {
	if len(value) < 2 || value[0] != '"' || slices.Contains(value, '\\') {
		return ""
	}
	return string(value[1 : len(value)-1])
}
