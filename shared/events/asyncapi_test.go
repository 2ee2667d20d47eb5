package events

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"sigs.k8s.io/yaml"
)

// ref is a reference within the document.
func ref(elem ...string) map[string]any {
	return map[string]any{"$ref": "#/" + strings.Join(elem, "/")}
}

// asyncAPI describes what this system takes and says, as AsyncAPI 3.0 has it: from its own side, so it receives commands and sends facts.
func asyncAPI(t *testing.T) map[string]any {
	t.Helper()
	messages, operations := map[string]any{}, map[string]any{}
	in := map[string]map[string]any{"commands": {}, "facts": {}}
	for _, eventType := range all() {
		messages[eventType] = message(t, eventType)
		channel, operation := "facts", map[string]any{"action": "send"}
		if strings.Contains(Catalogue[eventType].Description, "asks") {
			channel = "commands"
			operation = map[string]any{"action": "receive", "security": []any{ref("components", "securitySchemes", "identity")}, "reply": map[string]any{
				"channel":  ref("channels", "answers"),
				"messages": []any{ref("channels", "answers", "messages", CommandAccepted)},
			}}
		}
		in[channel][eventType] = ref("components", "messages", eventType)
		operation["channel"], operation["summary"] = ref("channels", channel), Catalogue[eventType].Description
		operation["messages"] = []any{ref("channels", channel, "messages", eventType)}
		operations[eventType] = operation
	}
	return map[string]any{
		"asyncapi": "3.0.0",
		"info": map[string]any{
			"title": "Kf's Tasks and Jobs", "version": "v1", "license": map[string]any{"name": "Apache-2.0"},
			"description": "CloudEvents 1.0 over HTTP: commands are posted, facts come by a Trigger of the Broker. docs/events.md says the rest.",
		},
		"defaultContentType": "application/json",
		"servers": map[string]any{
			"command": map[string]any{
				"host": "command.kf-tasks.svc.cluster.local", "protocol": "http", "description": "the function that carries out commands",
				"security": []any{ref("components", "securitySchemes", "identity")},
			},
			"broker": map[string]any{
				"host": "broker-ingress.knative-eventing.svc.cluster.local", "pathname": "/kf-tasks/default", "protocol": "http",
				"description": "Knative's Broker: subscribe by a Trigger",
			},
		},
		"channels": map[string]any{
			"commands": map[string]any{"address": "/", "servers": []any{ref("servers", "command")}, "messages": in["commands"],
				"description": "binary, structured and batched CloudEvents"},
			"answers": map[string]any{"address": nil, "messages": map[string]any{CommandAccepted: ref("components", "messages", CommandAccepted)},
				"description": "the response to the request that a command came by; a refusal is a problem document (RFC 9457)"},
			"facts": map[string]any{"address": "/", "servers": []any{ref("servers", "broker")}, "messages": in["facts"]},
		},
		"operations": operations,
		"components": map[string]any{
			"messages": messages,
			"securitySchemes": map[string]any{"identity": map[string]any{
				"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "a token of Kubernetes for the audience " + CommandAudience,
			}},
		},
	}
}

// message is an event in binary mode: attributes in headers, data as the payload.
func message(t *testing.T, eventType string) map[string]any {
	t.Helper()
	payload := schema(t, eventType)
	payload.Schema, payload.Title = "", "" // said by the message
	text := func() map[string]any { return map[string]any{"type": "string", "minLength": 1} }
	return map[string]any{
		"name": eventType, "title": eventType, "summary": Catalogue[eventType].Description, "contentType": "application/json", "payload": payload,
		"headers": map[string]any{
			"type": "object", "required": []any{"ce-specversion", "ce-type", "ce-source", "ce-id"},
			"properties": map[string]any{
				"ce-specversion": map[string]any{"const": "1.0"}, "ce-type": map[string]any{"const": eventType},
				"ce-source": map[string]any{"type": "string", "format": "uri-reference", "minLength": 1}, "ce-id": text(), "ce-subject": text(),
			},
		},
	}
}

// TestAsyncAPI: docs/asyncapi.yaml has every type, its payload as the schemas have it, and is AsyncAPI.
func TestAsyncAPI(t *testing.T) {
	doc := asyncAPI(t)
	b, err := yaml.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../docs/asyncapi.yaml", append([]byte("# Generated from shared/events by go test ./shared/events -update.\n"), b...))

	var spec jsonschema.Schema
	official, err := os.ReadFile("testdata/asyncapi-3.0.0.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(official, &spec); err != nil {
		t.Fatal(err)
	}
	spec.Schema += "#" // as draft-07 writes its own name, which the validator knows it by
	is, err := spec.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	decoded := func() (v map[string]any) {
		if err := yaml.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	if err := is.Validate(decoded()); err != nil {
		t.Errorf("docs/asyncapi.yaml is no AsyncAPI 3.0.0: %v", err)
	}
	for name, spoil := range map[string]func(map[string]any){
		"without info":     func(v map[string]any) { delete(v, "info") },
		"a made-up action": func(v map[string]any) { v["operations"].(map[string]any)[TaskRun].(map[string]any)["action"] = "post" },
		"a payload of types": func(v map[string]any) {
			v["components"].(map[string]any)["messages"].(map[string]any)[TaskRun].(map[string]any)["payload"] = map[string]any{"type": "txet"}
		},
	} {
		v := decoded()
		if spoil(v); is.Validate(v) == nil {
			t.Errorf("%s: the schema takes anything", name)
		}
	}
	resolve(t, decoded(), decoded())
}

// resolve fails the test for a reference to what is not there.
func resolve(t *testing.T, root map[string]any, v any) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			resolve(t, root, item)
		}
	case map[string]any:
		for _, item := range v {
			resolve(t, root, item)
		}
		to, ok := v["$ref"].(string)
		if !ok {
			return
		}
		var at any = root
		for elem := range strings.SplitSeq(strings.TrimPrefix(to, "#/"), "/") {
			there, _ := at.(map[string]any)
			if at = there[elem]; at == nil {
				t.Errorf("%s is not there", to)
				return
			}
		}
	}
}
