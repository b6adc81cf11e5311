package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fido-device-onboard/go-fdo"
	"github.com/fido-device-onboard/go-fdo/custom"
	fdohttp "github.com/fido-device-onboard/go-fdo/http"
	"github.com/fido-device-onboard/go-fdo/protocol"
)

// What the command line says about a server.
type serverOptions struct {
	listen, data, roles, ownerURL     string
	keyType, keyEncoding              string
	nextOwner, ownerKey, resellTo     string
	rvURLs, imports                   list
	reuseCredential, rvBypass, secure bool
	wait, mtu                         uint
	tasks                             []task
}

func parseServer(arguments []string) (serverOptions, error) {
	var options serverOptions
	flags, debug := newFlags("server")
	flags.StringVar(&options.listen, "listen", "127.0.0.1:0", "where to listen")
	flags.StringVar(&options.data, "data", "", "folder of keys, vouchers and uploads")
	flags.StringVar(&options.roles, "roles", "di,rv,owner", "what it does, of di, rv and owner")
	flags.StringVar(&options.keyType, "key-type", "", "manufacturer's key (ec256, ec384, rsa2048, rsa3072); else what devices ask for")
	flags.StringVar(&options.keyEncoding, "key-encoding", "", "how that is written (x509, x5chain, cose); else what devices ask for")
	flags.BoolVar(&options.reuseCredential, "reuse-credential", false, "let devices keep their credentials")
	flags.BoolVar(&options.rvBypass, "rv-bypass", false, "send devices to the owner at once")
	flags.Var(&options.rvURLs, "rv-url", "rendezvous server for devices, repeatable; else this one")
	flags.StringVar(&options.ownerURL, "owner-url", "", "owner for devices that bypass; else this one")
	flags.StringVar(&options.nextOwner, "next-owner", "", "key or certificates of whom the manufacturer sells to; else the owner here")
	flags.StringVar(&options.ownerKey, "owner-key", "", "private key of the owner; else made")
	flags.StringVar(&options.resellTo, "resell-to", "", "key or certificates of whom the owner sells devices to once they are onboarded")
	flags.Var(&options.imports, "import", "file of vouchers that the owner has, repeatable")
	flags.UintVar(&options.wait, "wait", 0, "most seconds for which the rendezvous server keeps an address; else what owners ask for")
	flags.UintVar(&options.mtu, "mtu", 0, "size of service info that devices may send; else not told")
	flags.BoolVar(&options.secure, "tls", false, "HTTPS, with a certificate that is made and left in the folder")
	for _, kind := range []struct{ flag, module, usage string }{
		{"download", "fdo.download", "file that devices get, repeatable"},
		{"upload", "fdo.upload", "name of a file that devices give, repeatable"},
		{"command", "fdo.command", "program and arguments that devices run, repeatable"},
		{"wget", "fdo.wget", "URL of a file that devices fetch, repeatable"},
	} {
		flags.Var(taskFlag{&options.tasks, kind.module}, kind.flag, kind.usage)
	}
	if err := flags.Parse(arguments); err != nil {
		return options, err
	}
	setLog(*debug)
	switch {
	case flags.NArg() > 0:
		return options, fmt.Errorf("%q is no flag", flags.Arg(0))
	case options.data == "":
		return options, errors.New("give --data")
	case options.mtu > 65535 || options.wait > 4294967295:
		return options, errors.New("--mtu or --wait is too large")
	}
	for _, role := range strings.Split(options.roles, ",") {
		if !slices.Contains([]string{"di", "rv", "owner"}, role) {
			return options, fmt.Errorf("there is no role %q", role)
		}
	}
	return options, nil
}

func (o *serverOptions) is(role string) bool {
	return slices.Contains(strings.Split(o.roles, ","), role)
}

func runServer(arguments []string) error {
	options, err := parseServer(arguments)
	if err != nil {
		return err
	}
	for _, folder := range []string{options.data, filepath.Join(options.data, "vouchers")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", options.listen)
	if err != nil {
		return err
	}
	own := "http://" + listener.Addr().String()
	server := &http.Server{}
	if options.secure {
		own = "https://" + listener.Addr().String()
		certificate, err := serverCertificate(options.data, listener.Addr())
		if err != nil {
			return err
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*certificate}}
	}
	site, err := newSite(options, own)
	if err != nil {
		return err
	}
	server.Handler = telling(site.handler())
	tell("listening", fields{"url": own})
	if options.secure {
		return server.ServeTLS(listener, "", "")
	}
	return server.Serve(listener)
}

// A certificate for TLS, which clients find in the folder.
func serverCertificate(folder string, at net.Addr) (*tls.Certificate, error) {
	key, err := ec256.generate()
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(at.String())
	if err != nil {
		return nil, err
	}
	made, err := newIdentity(key, host, net.ParseIP(host))
	if err != nil {
		return nil, err
	}
	if err := writePEM(filepath.Join(folder, "tls.pem"), "CERTIFICATE", made.chain[0].Raw); err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{made.chain[0].Raw}, PrivateKey: key}, nil
}

// A server in all its roles.
type site struct {
	options       serverOptions
	sessions      *sessions
	stock         *stock
	manufacturers *keyring
	devices       *identity
	rendezvous    [][]protocol.RvInstruction
	owner         *fdo.TO2Server
}

func newSite(options serverOptions, own string) (*site, error) {
	s := &site{
		options:       options,
		sessions:      newSessions(),
		manufacturers: newKeyring(options.data, "manufacturer"),
	}
	s.stock = newStock(newKeyring(options.data, "owner"))
	if options.ownerKey != "" {
		if err := s.stock.owners.take(options.ownerKey); err != nil {
			return nil, err
		}
	}
	authority, err := newKeyring(options.data, "device-ca").of(ec256)
	if err != nil {
		return nil, err
	}
	s.devices = authority
	if err := writePEM(filepath.Join(options.data, "device-ca.crt.pem"), "CERTIFICATE", authority.chain[0].Raw); err != nil {
		return nil, err
	}
	if s.rendezvous, err = rendezvousFor(options, own); err != nil {
		return nil, err
	}
	for _, file := range options.imports {
		if err := s.importFrom(file); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Where devices are sent: to the owner at once where that is asked for, and to the rendezvous servers.
func rendezvousFor(options serverOptions, own string) ([][]protocol.RvInstruction, error) {
	var directives [][]protocol.RvInstruction
	add := func(url string, bypass bool) error {
		where, err := parseAddress(url)
		if err != nil {
			return err
		}
		directive, err := where.directive(bypass)
		directives = append(directives, directive)
		return err
	}
	servers := options.rvURLs
	if options.rvBypass {
		owner := options.ownerURL
		if owner == "" {
			owner = own
		}
		if err := add(owner, true); err != nil {
			return nil, err
		}
	} else if len(servers) == 0 {
		servers = list{own}
	}
	for _, server := range servers {
		if err := add(server, false); err != nil {
			return nil, err
		}
	}
	return directives, nil
}

func (s *site) importFrom(file string) error {
	vouchers, err := readVouchers(file)
	if err != nil {
		return err
	}
	for _, voucher := range vouchers {
		if err := verifyVoucher(voucher, nil); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := s.stock.holds(voucher); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := s.stock.AddVoucher(context.Background(), voucher); err != nil {
			return err
		}
		told, err := describe(voucher)
		if err != nil {
			return err
		}
		tell("imported", told)
	}
	return nil
}

func (s *site) handler() http.Handler {
	handler := &fdohttp.Handler{
		Tokens:       s.sessions,
		DIResponder:  absent{},
		TO0Responder: absent{},
		TO1Responder: absent{},
		TO2Responder: absent{},
	}
	if s.options.is("di") {
		handler.DIResponder = s.manufacturer()
	}
	if s.options.is("rv") {
		handler.TO0Responder = &fdo.TO0Server{Session: s.sessions, RVBlobs: rendezvousStock{s.stock, s.sessions}, AcceptVoucher: s.accept}
		handler.TO1Responder = to1{&fdo.TO1Server{Session: s.sessions, RVBlobs: rendezvousStock{s.stock, s.sessions}}, s.sessions}
	}
	if s.options.is("owner") {
		s.owner = s.ownerServer()
		handler.TO2Responder = to2{s.owner, s}
	}
	return handler
}

func (s *site) manufacturer() *fdo.DIServer[custom.DeviceMfgInfo] {
	sign := custom.SignDeviceCertificate(s.devices.key, s.devices.chain)
	return &fdo.DIServer[custom.DeviceMfgInfo]{
		Session:  s.sessions,
		Vouchers: made{},
		SignDeviceCertificate: func(info *custom.DeviceMfgInfo) ([]*x509.Certificate, error) {
			if info == nil {
				return nil, errors.New("a device without DeviceMfgInfo has no certificate request")
			}
			return sign(info)
		},
		DeviceInfo: func(ctx context.Context, info *custom.DeviceMfgInfo, _ []*x509.Certificate) (string, protocol.PublicKey, error) {
			if err := s.sessions.SetSerial(ctx, info.SerialNumber); err != nil {
				return "", protocol.PublicKey{}, err
			}
			key, err := s.manufacturerKey(info)
			if err != nil {
				return "", protocol.PublicKey{}, err
			}
			return info.DeviceInfo, *key, nil
		},
		AfterVoucherPersist: s.deviceMade,
		RvInfo: func(context.Context, *fdo.Voucher) ([][]protocol.RvInstruction, error) {
			return s.rendezvous, nil
		},
	}
}

// The key in the header of a new voucher: what the command line says, else what the device asks for.
func (s *site) manufacturerKey(info *custom.DeviceMfgInfo) (*protocol.PublicKey, error) {
	keyType, encoding := info.KeyType, info.KeyEncoding
	if s.options.keyType != "" {
		named, err := keyKind(s.options.keyType).keyType()
		if err != nil {
			return nil, err
		}
		keyType = named
	}
	if s.options.keyEncoding != "" {
		named, err := encodingNamed(s.options.keyEncoding)
		if err != nil {
			return nil, err
		}
		encoding = named
	}
	// Only RSAPKCS and RSAPSS leave the size open.
	kind, err := kindOf(keyType, 3072)
	if err != nil {
		return nil, err
	}
	key, err := s.manufacturers.of(kind)
	if err != nil {
		return nil, err
	}
	return key.publicKey(keyType, encoding)
}

// Sells a device that was just made: to whom the command line says, or to the owner here.
func (s *site) deviceMade(ctx context.Context, voucher fdo.Voucher) error {
	serial, err := s.sessions.Serial(ctx)
	if err != nil {
		return err
	}
	header := voucher.Header.Val
	tell("device", fields{"guid": guidText(header.GUID), "device_info": header.DeviceInfo, "serial": serial})

	kind, err := kindOf(header.ManufacturerKey.Type, header.ManufacturerKey.RsaBits())
	if err != nil {
		return err
	}
	seller, err := s.manufacturers.of(kind)
	if err != nil {
		return err
	}
	var next crypto.PublicKey
	var chain []*x509.Certificate
	switch {
	case s.options.nextOwner != "":
		next, chain, err = readPublicKey(s.options.nextOwner)
	case s.options.is("owner"):
		var here *identity
		if here, err = s.stock.owners.of(kind); err == nil {
			next = here.key.Public()
		}
	default:
		return handOut(filepath.Join(s.options.data, "vouchers"), &voucher)
	}
	if err != nil {
		return err
	}
	extended, err := extend(&voucher, seller.key, next, chain)
	if err != nil {
		return err
	}
	if s.options.is("owner") && s.options.nextOwner == "" {
		if err := s.stock.AddVoucher(ctx, extended); err != nil {
			return err
		}
	}
	return handOut(filepath.Join(s.options.data, "vouchers"), extended)
}

// For how long the rendezvous server keeps an address.
func (s *site) accept(_ context.Context, _ fdo.Voucher, asked uint32) (uint32, error) {
	if s.options.wait == 0 {
		return asked, nil
	}
	return min(asked, uint32(s.options.wait)), nil
}

func (s *site) ownerServer() *fdo.TO2Server {
	server := &fdo.TO2Server{
		Session: s.sessions,
		Modules: &modules{
			sessions: s.sessions, tasks: s.options.tasks, uploads: filepath.Join(s.options.data, "uploads"),
		},
		Vouchers:             s.stock,
		OwnerKeys:            s.stock,
		VouchersForExtension: s.stock,
		RvInfo: func(context.Context, fdo.Voucher) ([][]protocol.RvInstruction, error) {
			return s.rendezvous, nil
		},
		ReuseCredential: func(context.Context, fdo.Voucher) (bool, error) {
			return s.options.reuseCredential, nil
		},
	}
	if s.options.mtu != 0 {
		server.MaxDeviceServiceInfoSize = func(context.Context, fdo.Voucher) (uint16, error) {
			return uint16(s.options.mtu), nil
		}
	}
	return server
}

// TO1, told when it is done.
type to1 struct {
	*fdo.TO1Server
	sessions *sessions
}

func (t to1) Respond(ctx context.Context, messageType uint8, message io.Reader) (uint8, any) {
	answer, body := t.TO1Server.Respond(ctx, messageType, message)
	if answer == protocol.TO1RVRedirectMsgType {
		if guid, err := t.sessions.GUID(ctx); err == nil {
			tell("to1", fields{"guid": guidText(guid)})
		}
	}
	return answer, body
}

// TO2, told when it is done, and followed by the sale of the device where that is asked for.
type to2 struct {
	*fdo.TO2Server
	site *site
}

func (t to2) Respond(ctx context.Context, messageType uint8, message io.Reader) (uint8, any) {
	answer, body := t.TO2Server.Respond(ctx, messageType, message)
	if answer != protocol.TO2Done2MsgType {
		return answer, body
	}
	if err := t.site.onboarded(ctx); err != nil {
		return protocol.ErrorMsgType, refusal(messageType, err)
	}
	return answer, body
}

func (s *site) onboarded(ctx context.Context) error {
	guid, err := s.sessions.GUID(ctx)
	if err != nil {
		return err
	}
	devmod, modules, _, err := s.sessions.Devmod(ctx)
	if err != nil {
		return err
	}
	_, err = s.sessions.ReplacementHmac(ctx)
	reused := errors.Is(err, fdo.ErrNotFound)
	next := guid
	if !reused {
		if next, err = s.sessions.ReplacementGUID(ctx); err != nil {
			return err
		}
	}
	tell("to2", fields{
		"guid": guidText(guid), "new_guid": guidText(next), "reused": reused,
		"devmod": fields{
			"os": devmod.Os, "arch": devmod.Arch, "version": devmod.Version, "device": devmod.Device,
			"serial": string(devmod.Serial), "mudurl": devmod.MudURL, "modules": modules,
		},
	})
	if s.options.resellTo == "" || reused {
		return nil
	}
	buyer, chain, err := readPublicKey(s.options.resellTo)
	if err != nil {
		return err
	}
	if chain != nil {
		buyer = chain
	}
	sold, err := s.owner.Resell(ctx, next, buyer, nil)
	if err != nil {
		return err
	}
	return handOut(filepath.Join(s.options.data, "vouchers"), sold)
}
