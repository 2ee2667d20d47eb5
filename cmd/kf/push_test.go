package main

import (
	"encoding/json"
	"testing"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

// TestPushNamesWhatIsGiven: as a merge patch, so that all else of the App stays. A list has no patch but the whole list.
func TestPushNamesWhatIsGiven(t *testing.T) {
	const present = `
spec:
  build: {image: "i:1", updateRequests: 6, buildpack: {stack: theirs}}
  template:
    spec:
      serviceAccountName: theirs
      containers:
      - {name: user-container, args: [serve], future: {kept: true},
         env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: B, value: b, future: 1}],
         resources: {requests: {memory: 256Mi}, limits: {memory: 1Gi}}}
      - {name: sidecar}
`
	for name, c := range map[string]struct {
		push          push
		present, want string
	}{
		"a new App": {push{image: "i:1"}, ``,
			`{build: {image: "i:1", updateRequests: 1}, instances: {stopped: true},
			  template: {spec: {containers: [{name: user-container}]}}}`},
		"a new App with everything": {
			push{image: "i:1", command: ptr.To("serve"), env: []string{"A=1", "B=x=y", "A=2"},
				resources: resources{cpu: "0.5", memory: "256Mi", disk: "1Gi"}}, ``,
			`{build: {image: "i:1", updateRequests: 1}, instances: {stopped: true}, template: {spec: {containers: [
			  {name: user-container, args: [serve], env: [{name: A, value: "2"}, {name: B, value: x=y}],
			   resources: {requests: {cpu: 500m, memory: 256Mi, ephemeral-storage: 1Gi}, limits: {memory: 256Mi, ephemeral-storage: 1Gi}}}]},
			  startCommand: serve}}`},
		"nothing but the image again": {push{}, present,
			`{build: {updateRequests: 7}}`},
		"another image": {push{image: "i:2"}, present,
			`{build: {image: "i:2", updateRequests: 7}}`},
		"the image's own command again": {push{command: ptr.To("")}, `{spec: {template: {spec: {containers: [{name: user-container, args: [serve], future: 1}]}}}}`,
			`{build: {updateRequests: 1}, template: {startCommand: null, spec: {containers: [{name: user-container, future: 1}]}}}`},
		"a variable that has more to it": {push{env: []string{"B=c"}}, `{spec: {template: {spec: {containers: [
			  {name: user-container, env: [{name: B, value: b, future: 1}]}]}}}}`,
			`{build: {updateRequests: 1}, template: {spec: {containers: [{name: user-container, env: [{name: B, value: c, future: 1}]}]}}}`},
		"a variable, and less memory": {push{env: []string{"A=1", "C="}, resources: resources{memory: "128Mi"}}, present,
			`{build: {updateRequests: 7}, template: {spec: {containers: [
			  {name: user-container, args: [serve], future: {kept: true},
			   env: [{name: A, value: "1"}, {name: B, value: b, future: 1}, {name: C, value: ""}],
			   resources: {requests: {memory: 128Mi}, limits: {memory: 128Mi}}}, {name: sidecar}]}}}`},
	} {
		app := object(t, c.present)
		spec, err := c.push.spec(app)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, _ := json.Marshal(spec)
		want, _ := json.Marshal(object(t, c.want))
		if string(got) != string(want) {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
	}
}

// object is what an API server's answer decodes to: numbers without a fraction are integers.
func object(t *testing.T, text string) (o map[string]any) {
	t.Helper()
	b, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := utiljson.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	return o
}
