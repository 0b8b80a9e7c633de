package artifact

import (
	"context"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// LabelRequest says what a label shall mean.
type LabelRequest struct {
	Caller      string // who wants it
	Namespace   string // whose label it is, if Name does not say; "" means Caller's
	Name        string // <name>, or <namespace>/<name>
	Blob        string // UUID
	MaxVersions int    // how many blobs it keeps; 0 means as it is, and for a new one as many as any artifact
}

// SetLabel has a label mean a blob, and returns its artifact, a new one if there is none. If it means that content already,
// nothing changes. It fails with fault.Invalid naming the field that is wrong, and with fault.NotFound if there is no such
// blob, or no such namespace that trusts the caller.
func (m *Manager) SetLabel(ctx context.Context, r LabelRequest) (Artifact, error) {
	const op = "artifact.SetLabel"
	namespace, name, err := m.labelOf(op, r.Caller, r.Namespace, r.Name)
	if err != nil {
		return Artifact{}, err
	}
	if r.MaxVersions != 0 {
		if err := validateMaxVersions(r.MaxVersions); err != nil {
			return Artifact{}, err
		}
	}
	rec := record{
		Type: Label, SourceURL: labelScheme + namespace + "/" + name, Name: name, Namespace: namespace,
		MaxVersions: m.keeps(r.MaxVersions), Created: time.Now(), Fetch: fetch{Node: m.Node},
	}
	a := addition{rec: rec, content: content{blob: usual(r.Blob)}, maxVersions: r.MaxVersions}
	a.match = func() (row, bool, error) {
		row, ok := m.own(Label, rec.SourceURL, namespace)
		return row, ok, nil
	}
	made, err := m.commitAddition(ctx, "set label", a)
	return made, fault.Wrap(op, name, err)
}

// FindLabel returns the label that a name, <name> or <namespace>/<name>, means to a caller who may change it. It fails with
// fault.NotFound, and with fault.Invalid if that is no name.
func (m *Manager) FindLabel(_ context.Context, caller, name string) (Artifact, error) {
	const op = "artifact.FindLabel"
	namespace, label, err := splitLabel(caller, name)
	if err != nil {
		return Artifact{}, err
	}
	if m.Namespaces.Trusts(namespace, caller) {
		if row, ok := m.own(Label, labelScheme+namespace+"/"+label, namespace); ok {
			if a, ok := m.get(row.ID); ok {
				return a, nil
			}
		}
	}
	return Artifact{}, fault.New(op, fault.NotFound, name, "label not found")
}

// labelOf returns the namespace and name that are meant. It fails with fault.NotFound unless the namespace trusts the caller.
func (m *Manager) labelOf(op, caller, namespace, text string) (owner, name string, err error) {
	if namespace == "" {
		namespace = caller
	}
	if owner, name, err = splitLabel(namespace, text); err != nil {
		return "", "", err
	}
	if !m.Namespaces.Trusts(owner, caller) {
		return "", "", errNoNamespace(op, owner)
	}
	return owner, name, nil
}

// splitLabel returns the namespace and the name in what users call a label.
func splitLabel(caller, text string) (namespace, name string, err error) {
	namespace, name, found := strings.Cut(text, "/")
	if !found {
		namespace, name = caller, text
	}
	if strings.Contains(name, "/") {
		return "", "", fault.New("artifact.label", fault.Invalid, "", "label name %.80q has more than one slash; use <name> or <namespace>/<name>", text)
	}
	if namespace == "" {
		return "", "", fault.New("artifact.label", fault.Invalid, "", "label name %.80q names no namespace before its slash", text)
	}
	return namespace, name, validateName("label name", name)
}
