package webhook

// Bitbucket signs the body by HMAC-SHA256 in X-Hub-Signature, with sha256= before it: the header in which others have SHA-1.
// support.atlassian.com/bitbucket-cloud/docs/manage-webhooks ("Secure webhooks"), and for Data Center
// confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html. The id is X-Request-UUID of the one, and X-Request-Id of
// the other, which is not signed; nor is a time.
var bitbucket = provider{
	verify:    hubSignature("X-Hub-Signature"),
	once:      headers("X-Hub-Signature"),
	id:        idHeader("X-Request-Uuid", "X-Request-Id"),
	handshake: pingOf("X-Event-Key", "diagnostics:ping"),
}
