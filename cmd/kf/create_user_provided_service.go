package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type createService struct {
	*target
	parameters, tags string
}

func newCreateUserProvidedService(t *target) *cobra.Command {
	o := &createService{target: t}
	c := &cobra.Command{
		Use:     "create-user-provided-service SERVICE",
		Aliases: []string{"cups"},
		Short:   "Keep credentials of a service, for Apps to be bound to",
		Long: `create-user-provided-service keeps credentials in a Secret of the Space. Apps that are bound to it find them in
VCAP_SERVICES.

-p takes a file, - for standard input, names to be asked for (user,password), or the JSON itself. What stands on a command line can be seen
by everybody on the machine, and stays in the shell's history: the other ways keep values out of both.`,
		Example: `  kf create-user-provided-service db -p credentials.json
  kf create-user-provided-service mail -p user,password
  kf create-user-provided-service audit -t syslog`,
		Args: cobra.ExactArgs(1),
		RunE: o.run,
	}
	c.Flags().StringVarP(&o.parameters, "parameters", "p", "{}",
		"credentials: a file, - (standard input), names to ask for, or a JSON object")
	c.Flags().StringVarP(&o.tags, "tags", "t", "", "tags by which Apps find it, with commas between")
	return c
}

func (o *createService) run(cmd *cobra.Command, args []string) error {
	name := args[0]
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 || len(name) > 50 {
		return fmt.Errorf("%q can't be a service's name: at most 50 lower case letters, digits and '-'", name)
	}
	credentials, err := o.read(cmd.InOrStdin())
	if err != nil {
		return err
	}
	secrets, err := o.secrets()
	if err != nil {
		return err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: "kf-service-" + name, Labels: map[string]string{serviceLabel: name, v1alpha1.ManagedByLabel: v1alpha1.ManagedByKf},
			Annotations: map[string]string{serviceTags: o.tags},
		},
		Data: map[string][]byte{paramsKey: credentials},
	}
	_, err = secrets.Create(cmd.Context(), secret, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("there is a service %q in Space %q already", name, o.space)
	}
	if err != nil {
		return fmt.Errorf("create service %s: %w", name, err)
	}
	o.printf("Service %[1]s created.\n\nBind an App to it:\n  kf bind-service APP %[1]s --space %[2]s\n", name, o.space)
	return nil
}

// read is the JSON object that -p means. Its errors hold nothing of what was read.
func (o *createService) read(stdin io.Reader) ([]byte, error) {
	var text []byte
	var err error
	switch p := strings.TrimSpace(o.parameters); {
	case p == "-":
		text, err = io.ReadAll(io.LimitReader(stdin, maxCredentials+1))
	case strings.HasPrefix(p, "{"):
		if text = []byte(p); p != "{}" {
			o.progress("What stands on the command line can be seen in the list of processes: " +
				"-p FILE, or -p - for standard input, keeps it out.")
		}
	default:
		if text, err = os.ReadFile(p); os.IsNotExist(err) && !strings.ContainsAny(p, "/.") {
			text, err = o.ask(stdin, strings.Split(p, ","))
		}
	}
	if err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	if len(text) > maxCredentials {
		return nil, fmt.Errorf("--parameters: more than %d bytes", maxCredentials)
	}
	if json.Unmarshal(text, &object) != nil || object == nil {
		return nil, errors.New(`--parameters is no JSON object: write, for example, {"uri": "postgres://..."}`)
	}
	return json.Marshal(object)
}

// ask asks for values, which are not shown, as cf does.
func (o *createService) ask(stdin io.Reader, names []string) ([]byte, error) {
	f, is := stdin.(*os.File)
	if !is || !term.IsTerminal(int(f.Fd())) {
		return nil, fmt.Errorf("--parameters %s: there is no such file, and nobody to ask", o.parameters)
	}
	object := map[string]string{}
	for _, name := range names {
		o.progress("%s:", strings.TrimSpace(name))
		value, err := term.ReadPassword(int(f.Fd()))
		if err != nil {
			return nil, err
		}
		object[strings.TrimSpace(name)] = string(value)
	}
	return json.Marshal(object)
}
