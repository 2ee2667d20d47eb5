package main

import (
	"fmt"
	"html"
	"io"
	"net/http"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// The page is as long as the log: the browser shows what it has, and a column that is laid out from its end stays at
// the newest line, without a script.
const style = `body{margin:0;font:14px system-ui,sans-serif;background:#fff;color:#111}
main{height:100vh;overflow:auto;display:flex;flex-direction:column-reverse}
pre{margin:0;padding:3.5em 1em 1em;font:13px/1.45 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
header{position:fixed;top:0;left:0;right:0;padding:.6em 1em;background:#eee}i{color:#666}b{color:#064}
form{max-width:40em;margin:3em auto;padding:0 1em}input{width:100%;padding:.5em;box-sizing:border-box;margin:.5em 0}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}header{background:#222}i{color:#999}b{color:#8d8}}`

func title(q Request) string {
	if q.App != "" {
		return inert.Line("App " + q.App + " in " + q.Namespace)
	}
	return inert.Line("Task " + q.Task + " in " + q.Namespace)
}

func head(w io.Writer, q Request) {
	fmt.Fprintf(w, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"+
		"<title>%[1]s</title><style>%[2]s</style><header>%[1]s</header>\n", html.EscapeString(title(q)), style)
}

// foot ends a log, with a link to what follows if there is more.
func foot(w io.Writer, next string) {
	if next != "" {
		fmt.Fprintf(w, "<a href=\"%s\">Go on</a>\n", html.EscapeString(next))
	}
	fmt.Fprint(w, "</pre></main></html>\n")
}

// form asks for a token and posts it to the page's own address.
func form(w http.ResponseWriter, status int, q Request, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	head(w, q)
	fmt.Fprintf(w, `<form method="post"><p>%s. Whoever may read the Pod logs of the namespace may read this.</p>
<label>Token (of <code>kubectl create token</code>, say)<input type="password" name="token" autocomplete="off" autofocus required></label>
<button>Show the log</button></form></html>
`, html.EscapeString(inert.Line(text)))
}
