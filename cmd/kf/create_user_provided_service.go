package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

type createService struct {
	*target
	parameters, tags, class, plan string
	async                         bool
}

func newCreateUserProvidedService(t *target) *cobra.Command {
	o := &createService{target: t}
	c := &cobra.Command{
		Use:     "create-user-provided-service SERVICE",
		Aliases: []string{"cups"},
		Short:   "Keep credentials of a service, for Apps to be bound to",
		Long: `create-user-provided-service keeps credentials in a Secret of the Space. Apps that are bound to it find them in
VCAP_SERVICES, and as files under SERVICE_BINDING_ROOT.

-p takes a file, - for standard input, names to be asked for (user,password), or the JSON itself. What stands on a command line can be seen
by everybody on the machine, and stays in the shell's history: the other ways keep values out of both.`,
		Example: `  kf create-user-provided-service db -p credentials.json
  kf create-user-provided-service mail -p user,password
  kf create-user-provided-service audit -t syslog`,
		Args: cobra.ExactArgs(1),
		RunE: o.run,
	}
	parametersFlag(c, &o.parameters, "p", "credentials")
	c.Flags().StringVarP(&o.tags, "tags", "t", "", "tags by which Apps find it, with commas between")
	c.Flags().StringVar(&o.class, "mock-class", "", "label in VCAP_SERVICES, and type of its files, in place of user-provided")
	c.Flags().StringVar(&o.plan, "mock-plan", "", "plan in VCAP_SERVICES")
	asyncFlag(c, &o.async, "Apps can be bound to it")
	return c
}

func parametersFlag(c *cobra.Command, to *string, short, what string) {
	c.Flags().StringVarP(to, "parameters", short, "{}", what+": a file, - (standard input), names to ask for, or a JSON object")
}

func (o *createService) run(cmd *cobra.Command, args []string) error {
	name := args[0]
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 || len(name) > 50 {
		return fmt.Errorf("%q can't be a service's name: at most 50 lower case letters, digits and '-'", name)
	}
	ctx := cmd.Context()
	credentials, err := o.parametersOf(o.parameters, cmd.InOrStdin())
	if err != nil {
		return err
	}
	secrets, err := o.secrets()
	if err != nil {
		return err
	}
	if old, err := client.Find(ctx, secrets, o.space, oldService(name)); err != nil || old != nil {
		return cmp.Or(err, fmt.Errorf("there is a service %q in Space %q already", name, o.space))
	}
	s := newService(name, o.tags)
	s.Spec.UserProvided.MockClassName, s.Spec.UserProvided.MockPlanName = o.class, o.plan
	if err := o.makeService(ctx, s, credentials); err != nil {
		return err
	}
	if !o.async {
		of := subject{what: "service", name: name, generation: s.Generation, function: "bind", unfit: "can't be used"}
		err := o.ready(ctx, of, func(ctx context.Context) (standing, error) {
			now, err := o.kf.Services(o.space).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return standing{}, fmt.Errorf("get service %s: %w", name, err)
			}
			return standing{now.Status.ObservedGeneration, now.Status.Conditions}, nil
		})
		if err != nil {
			return err
		}
	}
	o.printf("Service %[1]s created.\n\nBind an App to it:\n  kf bind-service APP %[1]s --space %[2]s\n", name, o.space)
	return nil
}

// maxCredentials is how much is read: a Secret holds a MiB, and an App may have several.
const maxCredentials = 512 << 10

// parametersOf is the JSON object that a flag means. Its errors hold nothing of what was read.
func (t *target) parametersOf(parameters string, stdin io.Reader) ([]byte, error) {
	var text []byte
	var err error
	switch p := strings.TrimSpace(parameters); {
	case p == "-":
		text, err = io.ReadAll(io.LimitReader(stdin, maxCredentials+1))
	case strings.HasPrefix(p, "{"):
		if text = []byte(p); p != "{}" {
			t.progress("What stands on the command line can be seen in the list of processes: " +
				"-p FILE, or -p - for standard input, keeps it out.")
		}
	default:
		if text, err = os.ReadFile(p); os.IsNotExist(err) && !strings.ContainsAny(p, "/.") {
			text, err = t.ask(stdin, strings.Split(p, ","))
		}
	}
	if err != nil {
		return nil, err
	}
	if len(text) > maxCredentials {
		return nil, fmt.Errorf("--parameters: more than %d bytes", maxCredentials)
	}
	if text = jsonObject(text); text == nil {
		return nil, errors.New(`--parameters is no JSON object: write, for example, {"uri": "postgres://..."}`)
	}
	return text, nil
}

// ask asks for values, which are not shown, as cf does.
func (t *target) ask(stdin io.Reader, names []string) ([]byte, error) {
	f, is := stdin.(*os.File)
	if !is || !term.IsTerminal(int(f.Fd())) {
		return nil, fmt.Errorf("--parameters %s: there is no such file, and nobody to ask", strings.Join(names, ","))
	}
	values := map[string]string{}
	for _, name := range names {
		t.progress("%s:", strings.TrimSpace(name))
		value, err := term.ReadPassword(int(f.Fd()))
		if err != nil {
			return nil, err
		}
		values[strings.TrimSpace(name)] = string(value)
	}
	return json.Marshal(values)
}
