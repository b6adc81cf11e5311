package main

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fido-device-onboard/go-fdo/cbor"
	"github.com/fido-device-onboard/go-fdo/fsim"
	"github.com/fido-device-onboard/go-fdo/protocol"
	"github.com/fido-device-onboard/go-fdo/serviceinfo"
)

// What the owner does to each device, in the order of the command line.
type task struct {
	module   string
	argument string
}

// A flag that adds a task of one module.
type taskFlag struct {
	tasks  *[]task
	module string
}

func (f taskFlag) String() string { return "" }

func (f taskFlag) Set(argument string) error {
	*f.tasks = append(*f.tasks, task{f.module, argument})
	return nil
}

// The modules of one device that are still to run; the first one runs.
type moduleQueue []queued

type queued struct {
	name   string
	module serviceinfo.OwnerModule
}

// Which module runs in which session.
type modules struct {
	sessions *sessions
	tasks    []task
	uploads  string
}

// Module is the one that runs.
func (m *modules) Module(ctx context.Context) (string, serviceinfo.OwnerModule, error) {
	queue, err := m.sessions.modules(ctx)
	if err != nil {
		return "", nil, err
	}
	if len(queue) == 0 {
		return "", nil, fmt.Errorf("all modules are done")
	}
	return queue[0].name, queue[0].module, nil
}

// NextModule is called when devmod is done and after each module.
func (m *modules) NextModule(ctx context.Context) (bool, error) {
	queue, err := m.sessions.modules(ctx)
	if err == nil {
		queue = queue[1:]
	} else if queue, err = m.all(ctx); err != nil {
		return false, err
	}
	return len(queue) > 0, m.sessions.setModules(ctx, queue)
}

// CleanupModules has nothing to do: a session's modules go with the session.
func (m *modules) CleanupModules(context.Context) {}

func (m *modules) all(ctx context.Context) (moduleQueue, error) {
	guid, err := m.sessions.GUID(ctx)
	if err != nil {
		return nil, err
	}
	_, supported, _, err := m.sessions.Devmod(ctx)
	if err != nil {
		return nil, err
	}
	var queue moduleQueue
	for _, task := range m.tasks {
		if !slices.Contains(supported, task.module) {
			tell("unsupported", fields{"guid": guidText(guid), "module": task.module})
			continue
		}
		module, err := m.start(guid, task)
		if err != nil {
			return nil, err
		}
		queue = append(queue, queued{task.module, module})
	}
	return queue, nil
}

func (m *modules) start(guid protocol.GUID, of task) (serviceinfo.OwnerModule, error) {
	switch of.module {
	case "fdo.download":
		file, err := os.Open(of.argument)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(of.argument)
		module := &fsim.DownloadContents[*os.File]{Name: name, Contents: file, MustDownload: true}
		return told{module, func() error {
			tell("download", fields{"guid": guidText(guid), "name": name})
			return nil
		}}, nil

	case "fdo.upload":
		folder := filepath.Join(m.uploads, guidText(guid))
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		module := &fsim.UploadRequest{
			Dir:  folder,
			Name: of.argument,
			// Beside where it ends, since files are moved within one file system only.
			CreateTemp: func() (*os.File, error) { return os.CreateTemp(folder, ".upload-*") },
		}
		return told{module, func() error {
			file, err := describeFile(filepath.Join(folder, filepath.Base(of.argument)))
			if err != nil {
				return err
			}
			file["guid"], file["name"] = guidText(guid), of.argument
			tell("upload", file)
			return nil
		}}, nil

	case "fdo.command":
		words := strings.Fields(of.argument)
		if len(words) == 0 {
			return nil, fmt.Errorf("a command has no words")
		}
		module := &command{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}
		module.RunCommand = &fsim.RunCommand{
			Command: words[0], Args: words[1:], MayFail: true, Stdout: module.stdout, Stderr: module.stderr,
		}
		return told{module, func() error {
			tell("command", fields{
				"guid": guidText(guid), "command": of.argument, "exit_code": module.exitCode,
				"stdout": module.stdout.String(), "stderr": module.stderr.String(),
			})
			return nil
		}}, nil

	case "fdo.wget":
		from, err := url.Parse(of.argument)
		if err != nil {
			return nil, err
		}
		module := &fsim.WgetCommand{Name: path.Base(from.Path), URL: from}
		return told{module, func() error {
			tell("wget", fields{"guid": guidText(guid), "url": of.argument})
			return nil
		}}, nil

	default:
		return nil, fmt.Errorf("there is no module %q", of.module)
	}
}

// A module that tells when it is done.
type told struct {
	serviceinfo.OwnerModule
	done func() error
}

func (t told) ProduceInfo(ctx context.Context, producer *serviceinfo.Producer) (bool, bool, error) {
	blocked, done, err := t.OwnerModule.ProduceInfo(ctx, producer)
	if err == nil && done {
		err = t.done()
	}
	return blocked, done, err
}

// A command whose exit code is kept.
type command struct {
	*fsim.RunCommand
	stdout, stderr *bytes.Buffer
	exitCode       int
}

func (c *command) HandleInfo(ctx context.Context, message string, body io.Reader) error {
	if message == "exitcode" {
		content, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		if err := cbor.Unmarshal(content, &c.exitCode); err != nil {
			return err
		}
		body = bytes.NewReader(content)
	}
	return c.RunCommand.HandleInfo(ctx, message, body)
}

// What a file that was received is.
func describeFile(path string) (fields, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	digest := sha512.Sum384(content)
	return fields{"path": path, "size": len(content), "sha384": hex.EncodeToString(digest[:])}, nil
}
