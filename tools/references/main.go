// Command references prints what BuildKit and Compose take for references: the oracle of `gate refs`.
//
// It reads paths from standard input, one a line, and writes one JSON object a file:
// {"path", "references": [...], "error"}. A reference is the image's name after variables, or "?" where only a run decides it.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

const unresolved = "?"

type answer struct {
	Path       string   `json:"path"`
	References []string `json:"references"`
	Error      string   `json:"error,omitempty"`
}

// environment is what FROM sees: nil for a variable that only a build sets.
type environment map[string]*string

func (e environment) Get(name string) (string, bool) {
	value, ok := e[name]
	if !ok || value == nil {
		return "", ok
	}
	return *value, true
}

func (e environment) Keys() []string {
	keys := make([]string, 0, len(e))
	for key := range e {
		keys = append(keys, key)
	}
	return keys
}

func platformArguments() environment {
	found := environment{}
	for _, side := range []string{"TARGET", "BUILD"} {
		for _, part := range []string{"PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT"} {
			found[side+part] = nil
		}
	}
	found["TARGETSTAGE"] = nil
	return found
}

// expand returns a word after variables, or "?" where one of them has no value in the file.
func expand(lex *shell.Lex, word string, env environment) (string, error) {
	result, err := lex.ProcessWordWithMatches(word, env)
	if err != nil {
		return "", err
	}
	for name := range result.Unmatched {
		// A default takes its place.
		taken := false
		for _, operator := range []string{":-", "-", ":+", "+"} {
			taken = taken || strings.Contains(word, "${"+name+operator)
		}
		if !taken {
			return unresolved, nil
		}
	}
	for name := range result.Matched {
		if env[name] == nil {
			return unresolved, nil
		}
	}
	return result.Result, nil
}

func dockerfile(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return dockerfileNames(data)
}

func dockerfileNames(data []byte) ([]string, error) {
	found := map[string]bool{}
	if syntax, _, _, ok := parser.DetectSyntax(data); ok {
		found[syntax] = true
	}
	parsed, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	stages, arguments, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, err
	}
	lex := shell.NewLex(parsed.EscapeToken)
	env := platformArguments()
	for _, command := range arguments {
		for _, argument := range command.Args {
			if argument.Value == nil {
				continue
			}
			value, err := expand(lex, *argument.Value, env)
			if err != nil {
				return nil, err
			}
			env[argument.Key] = &value
			if value == unresolved {
				env[argument.Key] = nil
			}
		}
	}
	earlier := map[string]bool{}
	all := map[string]bool{}
	for _, stage := range stages {
		all[stage.Name] = stage.Name != ""
	}
	for _, stage := range stages {
		name, err := expand(lex, stage.BaseName, env)
		if err != nil {
			return nil, err
		}
		if name != "scratch" && !earlier[strings.ToLower(name)] {
			found[name] = true
		}
		if stage.Name != "" {
			earlier[stage.Name] = true
		}
		for _, command := range stage.Commands {
			for _, from := range sources(command) {
				if from != "scratch" && !all[strings.ToLower(from)] {
					found[from] = true
				}
			}
		}
	}
	return sorted(found), nil
}

// sources returns the names that an instruction copies or mounts from: stages, or images.
func sources(command instructions.Command) []string {
	switch c := command.(type) {
	case *instructions.CopyCommand:
		if _, err := strconv.Atoi(c.From); c.From != "" && err != nil {
			return []string{c.From}
		}
	case *instructions.RunCommand:
		var found []string
		for _, mount := range instructions.GetMounts(c) {
			if mount.From != "" {
				found = append(found, mount.From)
			}
		}
		return found
	case *instructions.OnbuildCommand:
		parsed, err := parser.Parse(strings.NewReader(c.Expression))
		if err != nil {
			return nil
		}
		var found []string
		for _, node := range parsed.AST.Children {
			if inner, err := instructions.ParseCommand(node); err == nil {
				found = append(found, sources(inner)...)
			}
		}
		return found
	}
	return nil
}

func compose(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	env := types.Mapping{}
	if file, err := os.Open(filepath.Join(filepath.Dir(path), ".env")); err == nil {
		defer file.Close()
		if values, err := dotenv.Parse(file); err == nil {
			env = values
		}
	}
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  filepath.Dir(path),
		ConfigFiles: []types.ConfigFile{{Filename: path, Content: data}},
		Environment: env,
	}, func(options *loader.Options) {
		options.SetProjectName("oracle", true)
		options.SkipConsistencyCheck = true
		options.SkipNormalization = true
		options.SkipInclude = true
		options.SkipResolveEnvironment = true
		options.SkipExtends = true
		options.Profiles = []string{"*"}
	})
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, service := range project.Services {
		if service.Image != "" && service.Build == nil {
			found[complete(service.Image)] = true
		}
		for _, volume := range service.Volumes {
			if volume.Type == types.VolumeTypeImage {
				found[volume.Source] = true
			}
		}
		if service.Build != nil && service.Build.DockerfileInline != "" {
			names, err := dockerfileNames([]byte(service.Build.DockerfileInline))
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				found[name] = true
			}
		}
		if service.Build != nil {
			for _, extra := range service.Build.AdditionalContexts {
				if image, ok := strings.CutPrefix(extra, "docker-image://"); ok {
					found[image] = true
				}
			}
		}
	}
	return sorted(found), nil
}

// complete returns an image's name, or "?" where Compose put nothing in the place of a variable.
func complete(name string) string {
	if strings.HasSuffix(name, ":") || strings.HasPrefix(name, "/") {
		return unresolved
	}
	return name
}

func sorted(found map[string]bool) []string {
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func main() {
	readers := map[string]func(string) ([]string, error){"dockerfile": dockerfile, "compose": compose}
	if len(os.Args) != 2 || readers[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: references dockerfile|compose < PATHS")
		os.Exit(2)
	}
	lines := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		found, err := readers[os.Args[1]](lines.Text())
		result := answer{Path: lines.Text(), References: found}
		if err != nil {
			result.Error = err.Error()
		}
		if err := out.Encode(result); err != nil {
			os.Exit(1)
		}
	}
}
