// Package webhook decides what becomes of what another system posts: whether it is the one that it says, whether anything is to
// be run for it, and which command event asks for that. It does no I/O: who posts what, the secrets and the time go in, a Verdict
// comes out. The function webhook acts on it, and `kf webhook test` shows it, rule by rule.
//
// The rules are lists (rules.go): their order is the documentation. Nothing is parsed before the signature over the raw bytes is
// known to be good.
//
// What comes from outside reaches a command only as values: of environment variables, of a display name, and of quantities. The
// command itself, the App and the Job are text of the Webhook's. So there is nothing that could be quoted wrongly.
package webhook
