package server

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The document tells what the source of package api says of its types.
func TestFieldsAreDescribedAsInTheSource(t *testing.T) {
	t.Parallel()
	docs := map[string]string{}
	files, err := filepath.Glob("../api/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				describeType(g, docs)
			}
		}
	}
	want, err := json.MarshalIndent(docs, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("fielddocs.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(fieldDocs, want) {
		t.Error("fielddocs.json is out of date; run make golden")
	}
}

func describeType(g *ast.GenDecl, docs map[string]string) {
	for _, s := range g.Specs {
		spec, ok := s.(*ast.TypeSpec)
		if !ok {
			continue
		}
		if text := prose(g.Doc); text != "" {
			docs[spec.Name.Name] = text
		}
		fields, ok := spec.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range fields.Fields.List {
			for _, name := range f.Names {
				if text := prose(f.Comment); text != "" {
					docs[spec.Name.Name+"."+name.Name] = text
				}
			}
		}
	}
}

// prose is a comment without the marks of Go.
func prose(group *ast.CommentGroup) string {
	var p comment.Parser
	var pr comment.Printer
	pr.TextWidth = -1
	return strings.TrimSpace(string(pr.Text(p.Parse(group.Text()))))
}
