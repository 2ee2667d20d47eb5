package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Session is who has signed in. It is kept in a cookie alone, sealed: any instance can open it, and nobody else.
type Session struct {
	// ID tells this session from others of the same user. It is random, and never shown.
	ID string
	// User is who the API server said that the token is of, and Token what every request to it is made with.
	User, Token string
	// Expires is when one has to sign in again, whatever the token says.
	Expires time.Time
}

const (
	// minKey is how many bytes a key must have that somebody else has made.
	minKey = 32
	// maxToken is what fits, sealed and in base64, into the 4096 bytes that a browser keeps of a cookie (RFC 6265bis, 5.7).
	maxToken = 2600
)

// Sealer seals sessions, and makes the tokens by which forms are known to be of a session's own pages.
type Sealer struct {
	aead  cipher.AEAD
	forms []byte
}

// NewSealer makes one of a key, or of a random one for "".
func NewSealer(key string) (*Sealer, error) {
	secret := []byte(strings.TrimSpace(key))
	switch {
	case len(secret) == 0:
		secret = make([]byte, minKey)
		_, _ = rand.Read(secret) // never fails (crypto/rand)
	case len(secret) < minKey:
		return nil, fmt.Errorf("SESSION_KEY has %d bytes, and needs %d: head -c 32 /dev/urandom | base64 makes one", len(secret), minKey)
	}
	of := func(use string) ([]byte, error) { return hkdf.Key(sha256.New, secret, nil, "kf-tasks/web/"+use, 32) }
	seal, err := of("session")
	if err != nil {
		return nil, err
	}
	forms, err := of("forms")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(seal)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &Sealer{aead, forms}, err
}

// Seal makes of a session what its cookie holds.
func (s *Sealer) Seal(session Session) string {
	plain := strings.Join([]string{strconv.FormatInt(session.Expires.Unix(), 10), session.ID, session.User, session.Token}, "\x00")
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, []byte(plain), []byte(sessionCookie)))
}

var errNoSession = errors.New("this is no session of ours, or one that has ended")

// Open reads a cookie. The error says only that there is no session by it.
func (s *Sealer) Open(sealed string, now time.Time) (Session, error) {
	b, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return Session{}, errNoSession
	}
	plain, err := s.aead.Open(nil, nil, b, []byte(sessionCookie))
	if err != nil {
		return Session{}, errNoSession
	}
	parts := strings.SplitN(string(plain), "\x00", 4)
	if len(parts) != 4 {
		return Session{}, errNoSession
	}
	seconds, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || !now.Before(time.Unix(seconds, 0)) {
		return Session{}, errNoSession
	}
	return Session{Expires: time.Unix(seconds, 0), ID: parts[1], User: parts[2], Token: parts[3]}, nil
}

// FormToken is what a form holds that was made for a session, or for a browser that has yet to sign in.
func (s *Sealer) FormToken(id string) string {
	mac := hmac.New(sha256.New, s.forms)
	mac.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// IsFormToken compares in constant time. Nobody without an id has a form.
func (s *Sealer) IsFormToken(id, token string) bool {
	return id != "" && hmac.Equal([]byte(s.FormToken(id)), []byte(token))
}

// randomID is new, and not to be guessed.
func randomID() string { return rand.Text() }

// bearer is a token's syntax (RFC 6750, 2.1).
var bearer = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// cleanToken is what somebody pasted, without what comes along by accident: line breaks of a terminal, the word Bearer.
func cleanToken(pasted string) (string, error) {
	words := strings.Fields(pasted)
	if len(words) > 0 && words[0] == "Bearer" {
		words = words[1:]
	}
	token := strings.Join(words, "")
	switch {
	case token == "":
		return "", errors.New("paste a token")
	case len(token) > maxToken:
		return "", fmt.Errorf("the token has %d bytes, and %d fit into a cookie: use one of a service account", len(token), maxToken)
	case !bearer.MatchString(token):
		return "", errors.New("this is no token: it has characters that none has")
	}
	return token, nil
}
