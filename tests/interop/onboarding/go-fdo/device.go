package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/fido-device-onboard/go-fdo"
	"github.com/fido-device-onboard/go-fdo/blob"
	"github.com/fido-device-onboard/go-fdo/cbor"
	"github.com/fido-device-onboard/go-fdo/cose"
	"github.com/fido-device-onboard/go-fdo/custom"
	"github.com/fido-device-onboard/go-fdo/fsim"
	"github.com/fido-device-onboard/go-fdo/kex"
	"github.com/fido-device-onboard/go-fdo/protocol"
	"github.com/fido-device-onboard/go-fdo/serviceinfo"
)

// What the command line says about a device.
type deviceOptions struct {
	manufacturer, credential           string
	keyType, askedType, keyEncoding    string
	info, serial, mudURL               string
	onboard, allowReuse, allowCommands bool
	exchange, cipher                   string
	downloads                          string
	uploads                            list
	mtu                                uint
	timeout                            time.Duration
	trust                              trust
}

func parseDevice(arguments []string) (deviceOptions, error) {
	var options deviceOptions
	flags, debug := newFlags("device")
	flags.StringVar(&options.credential, "credential", "", "file of the device's credential")
	flags.StringVar(&options.manufacturer, "di", "", "URL of the manufacturer, who makes the device")
	flags.StringVar(&options.keyType, "key-type", string(ec256), "the device's key (ec256, ec384, rsa2048, rsa3072)")
	flags.StringVar(&options.askedType, "manufacturer-key-type", "", "key asked of the manufacturer; else of the device's type")
	flags.StringVar(&options.keyEncoding, "key-encoding", "x509", "how that is to be written (x509, x5chain, cose)")
	flags.StringVar(&options.info, "info", "go-fdo", "what kind of device it is")
	flags.StringVar(&options.serial, "serial", "1", "its serial number")
	flags.BoolVar(&options.onboard, "onboard", false, "onboard the device")
	flags.BoolVar(&options.allowReuse, "allow-reuse", false, "let the owner leave the credential as it is")
	flags.StringVar(&options.exchange, "kex", "", "key exchange (ECDH256, ECDH384, DHKEXid14, …); else by the device's key")
	flags.StringVar(&options.cipher, "cipher", "A128GCM", "cipher (A128GCM, A192GCM, A256GCM, COSEAES128CTR, …)")
	flags.StringVar(&options.downloads, "download-dir", "", "folder of what is received; without it nothing is")
	flags.Var(&options.uploads, "upload", "NAME=FILE that may be asked for, repeatable")
	flags.BoolVar(&options.allowCommands, "allow-command", false, "run commands of the owner")
	flags.StringVar(&options.mudURL, "mud-url", "", "MUD URL to tell")
	flags.UintVar(&options.mtu, "mtu", 0, "size of service info that the owner may send; else the library's")
	flags.DurationVar(&options.timeout, "timeout", time.Minute, "time for all of it")
	options.trust = trustFlags(flags)
	if err := flags.Parse(arguments); err != nil {
		return options, err
	}
	setLog(*debug)
	switch {
	case flags.NArg() > 0:
		return options, fmt.Errorf("%q is no flag", flags.Arg(0))
	case options.credential == "":
		return options, errors.New("give --credential")
	case (options.manufacturer != "") == options.onboard:
		return options, errors.New("give one of --di and --onboard")
	case options.mtu > 65535:
		return options, errors.New("--mtu is too large")
	}
	return options, nil
}

func runDevice(arguments []string) error {
	options, err := parseDevice(arguments)
	if err != nil {
		return err
	}
	transports, err := options.trust.transports()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), options.timeout)
	defer cancel()
	if options.onboard {
		return onboard(ctx, options, transports)
	}
	return initialize(ctx, options, transports(options.manufacturer))
}

// Runs DI and keeps the credential.
func initialize(ctx context.Context, options deviceOptions, transport fdo.Transport) error {
	asked := keyKind(options.askedType)
	if asked == "" {
		asked = keyKind(options.keyType)
	}
	keyType, err := asked.keyType()
	if err != nil {
		return err
	}
	encoding, err := encodingNamed(options.keyEncoding)
	if err != nil {
		return err
	}
	key, err := keyKind(options.keyType).generate()
	if err != nil {
		return err
	}
	credential := blob.DeviceCredential{
		Active: true, HmacSecret: make([]byte, 32), PrivateKey: blob.Pkcs8Key{Signer: key},
	}
	if _, err := rand.Read(credential.HmacSecret); err != nil {
		return err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: options.info, SerialNumber: options.serial},
	}, key)
	if err != nil {
		return err
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return err
	}
	hmac256, hmac384 := credential.HMACs()
	made, err := fdo.DI(ctx, transport, custom.DeviceMfgInfo{
		KeyType:      keyType,
		KeyEncoding:  encoding,
		SerialNumber: options.serial,
		DeviceInfo:   options.info,
		CertInfo:     cbor.X509CertificateRequest(*request),
	}, fdo.DIConfig{HmacSha256: hmac256, HmacSha384: hmac384, Key: key})
	if err != nil {
		return err
	}
	credential.DeviceCredential = *made
	if err := writeCredential(options.credential, &credential); err != nil {
		return err
	}
	tell("initialized", fields{"guid": guidText(made.GUID), "device_info": made.DeviceInfo})
	return nil
}

// Follows the rendezvous directives until one leads to an owner who onboards the device.
func onboard(ctx context.Context, options deviceOptions, transports func(string) fdo.Transport) error {
	credential, err := readCredential(options.credential)
	if err != nil {
		return err
	}
	var failures []error
	for _, directive := range protocol.ParseDeviceRvInfo(credential.RvInfo) {
		for _, url := range directive.URLs {
			owners, to1d := []string{url.String()}, (*cose.Sign1[protocol.To1d, []byte])(nil)
			if !directive.Bypass {
				to1d, err = fdo.TO1(ctx, transports(url.String()), credential.DeviceCredential, credential, nil)
				if err != nil {
					failures = append(failures, fmt.Errorf("TO1 at %s: %w", url, err))
					continue
				}
				if owners, err = ownersOf(to1d); err != nil {
					failures = append(failures, fmt.Errorf("TO1 at %s: %w", url, err))
					continue
				}
				tell("to1", fields{"url": url.String(), "owners": owners})
			}
			for _, owner := range owners {
				err := transferOwnership(ctx, options, credential, transports(owner), to1d)
				if err == nil {
					return nil
				}
				failures = append(failures, fmt.Errorf("TO2 at %s: %w", owner, err))
			}
		}
	}
	if len(failures) == 0 {
		return errors.New("no rendezvous directive names a place")
	}
	return errors.Join(failures...)
}

func ownersOf(to1d *cose.Sign1[protocol.To1d, []byte]) ([]string, error) {
	var owners []string
	for _, address := range to1d.Payload.Val.RV {
		urls, err := urlsOf(address)
		if err != nil {
			return nil, err
		}
		owners = append(owners, urls...)
	}
	return owners, nil
}

// Runs TO2, keeps the new credential and tells what happened.
func transferOwnership(ctx context.Context, options deviceOptions, credential *blob.DeviceCredential, transport fdo.Transport, to1d *cose.Sign1[protocol.To1d, []byte]) error {
	watch := &watch{modules: map[string]serviceinfo.DeviceModule{}}
	if err := watch.addModules(options); err != nil {
		return err
	}
	exchange, err := exchangeFor(options, credential)
	if err != nil {
		return err
	}
	cipher, known := kex.CipherSuiteByName(options.cipher)
	if !known {
		return fmt.Errorf("there is no cipher %q", options.cipher)
	}
	old := guidText(credential.GUID)
	hmac256, hmac384 := credential.HMACs()
	next, err := fdo.TO2(ctx, transport, to1d, fdo.TO2Config{
		Cred:       credential.DeviceCredential,
		HmacSha256: hmac256,
		HmacSha384: hmac384,
		Key:        credential.PrivateKey,
		Devmod: serviceinfo.Devmod{
			Os: runtime.GOOS, Arch: runtime.GOARCH, Version: "1", Device: credential.DeviceInfo,
			Serial: []byte(options.serial), FileSep: ";", Bin: runtime.GOARCH, MudURL: options.mudURL,
		},
		DeviceModules:             watch.modules,
		KeyExchange:               exchange,
		CipherSuite:               cipher,
		MaxServiceInfoSizeReceive: uint16(options.mtu),
		AllowCredentialReuse:      options.allowReuse,
	})
	if err != nil {
		return err
	}
	if next != nil {
		credential.DeviceCredential = *next
		if err := writeCredential(options.credential, credential); err != nil {
			return err
		}
	}
	files, err := watch.files()
	if err != nil {
		return err
	}
	tell("onboarded", fields{
		"guid": old, "new_guid": guidText(credential.GUID), "reused": next == nil, "modules": watch.ran(), "files": files,
	})
	return nil
}

func exchangeFor(options deviceOptions, credential *blob.DeviceCredential) (kex.Suite, error) {
	if options.exchange != "" {
		return kex.Suite(options.exchange), nil
	}
	kind, err := kindOfKey(credential.Public())
	if err != nil {
		return "", err
	}
	return map[keyKind]kex.Suite{
		ec256: kex.ECDH256Suite, ec384: kex.ECDH384Suite, rsa2048: kex.DHKEXid14Suite, rsa3072: kex.DHKEXid15Suite,
	}[kind], nil
}

// The modules of a device, and what they did.
type watch struct {
	modules map[string]serviceinfo.DeviceModule

	mutex    sync.Mutex
	active   []string
	received []string
}

func (w *watch) addModules(options deviceOptions) error {
	if folder := options.downloads; folder != "" {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		place := func(name string) string {
			path := filepath.Join(folder, filepath.Base(name))
			w.mutex.Lock()
			defer w.mutex.Unlock()
			w.received = append(w.received, path)
			return path
		}
		// Beside where they end, since files are moved within one file system only.
		temporary := func() (*os.File, error) { return os.CreateTemp(folder, ".download-*") }
		w.add("fdo.download", &fsim.Download{CreateTemp: temporary, NameToPath: place, ErrorLog: os.Stderr})
		w.add("fdo.wget", &fsim.Wget{CreateTemp: temporary, NameToPath: place})
	}
	if len(options.uploads) > 0 {
		offered := offers{}
		for _, upload := range options.uploads {
			name, path, found := strings.Cut(upload, "=")
			if !found {
				return fmt.Errorf("--upload %s is not NAME=FILE", upload)
			}
			offered[name] = path
		}
		w.add("fdo.upload", &fsim.Upload{FS: offered})
	}
	if options.allowCommands {
		w.add("fdo.command", &fsim.Command{})
	}
	return nil
}

func (w *watch) add(name string, module serviceinfo.DeviceModule) {
	w.modules[name] = &watched{module, name, w}
}

func (w *watch) ran() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return append([]string{}, w.active...)
}

func (w *watch) files() ([]fields, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	files := []fields{}
	for _, path := range w.received {
		file, err := describeFile(path)
		if err != nil {
			return nil, err
		}
		file["name"] = filepath.Base(path)
		files = append(files, file)
	}
	return files, nil
}

// A module whose activation is noted.
type watched struct {
	serviceinfo.DeviceModule
	name string
	by   *watch
}

func (m *watched) Transition(active bool) error {
	if active {
		m.by.mutex.Lock()
		m.by.active = append(m.by.active, m.name)
		m.by.mutex.Unlock()
	}
	return m.DeviceModule.Transition(active)
}

// The files that an owner may ask for, by name.
type offers map[string]string

func (o offers) Open(name string) (fs.File, error) {
	path, offered := o[name]
	if !offered {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return os.Open(path)
}

func readCredential(path string) (*blob.DeviceCredential, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	credential := new(blob.DeviceCredential)
	if err := cbor.Unmarshal(content, credential); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return credential, nil
}

// The old credential stays until the new one is complete.
func writeCredential(path string, credential *blob.DeviceCredential) error {
	content, err := cbor.Marshal(credential)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
