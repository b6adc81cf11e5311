package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/fido-device-onboard/go-fdo"
	"github.com/fido-device-onboard/go-fdo/kex"
	"github.com/fido-device-onboard/go-fdo/protocol"
	"github.com/fido-device-onboard/go-fdo/serviceinfo"
)

// What is known of one run of a protocol. Fields are nothing until they are set.
type session struct {
	serial *string

	deviceChain *[]*x509.Certificate
	header      **fdo.VoucherHeader

	signNonce  *protocol.Nonce
	proofNonce *protocol.Nonce

	guid             *protocol.GUID
	rendezvous       *[][]protocol.RvInstruction
	replacementGUID  *protocol.GUID
	replacementHmac  *protocol.Hmac
	exchange         *exchange
	proveDeviceNonce *protocol.Nonce
	setupDeviceNonce *protocol.Nonce
	mtu              *uint16
	devmod           *devmodState
	modules          *moduleQueue
}

// A key exchange, written down: the library destroys the session that it is given.
type exchange struct {
	suite   kex.Suite
	encoded []byte
}

type devmodState struct {
	devmod   serviceinfo.Devmod
	modules  []string
	complete bool
}

// All sessions, by token.
type sessions struct {
	mutex   sync.Mutex
	byToken map[string]*session
}

func newSessions() *sessions { return &sessions{byToken: map[string]*session{}} }

type tokenKey struct{}

// NewToken begins a session.
func (s *sessions) NewToken(context.Context, protocol.Protocol) (string, error) {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	token := hex.EncodeToString(random[:])
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.byToken[token] = new(session)
	return token, nil
}

// InvalidateToken ends a session.
func (s *sessions) InvalidateToken(ctx context.Context) error {
	token, _ := s.TokenFromContext(ctx)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.byToken[token] == nil {
		return fdo.ErrNotFound
	}
	delete(s.byToken, token)
	return nil
}

func (s *sessions) TokenContext(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, tokenKey{}, token)
}

func (s *sessions) TokenFromContext(ctx context.Context) (string, bool) {
	token, known := ctx.Value(tokenKey{}).(string)
	return token, known
}

// Reads a field of the session.
func get[T any](s *sessions, ctx context.Context, field func(*session) *T) (T, error) {
	var nothing T
	token, _ := s.TokenFromContext(ctx)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	of := s.byToken[token]
	if of == nil {
		return nothing, fdo.ErrInvalidSession
	}
	value := field(of)
	if value == nil {
		return nothing, fdo.ErrNotFound
	}
	return *value, nil
}

// Writes a field of the session.
func set(s *sessions, ctx context.Context, write func(*session)) error {
	token, _ := s.TokenFromContext(ctx)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	of := s.byToken[token]
	if of == nil {
		return fdo.ErrInvalidSession
	}
	write(of)
	return nil
}

func (s *sessions) SetSerial(ctx context.Context, serial string) error {
	return set(s, ctx, func(of *session) { of.serial = &serial })
}

func (s *sessions) Serial(ctx context.Context) (string, error) {
	return get(s, ctx, func(of *session) *string { return of.serial })
}

func (s *sessions) SetDeviceCertChain(ctx context.Context, chain []*x509.Certificate) error {
	return set(s, ctx, func(of *session) { of.deviceChain = &chain })
}

func (s *sessions) DeviceCertChain(ctx context.Context) ([]*x509.Certificate, error) {
	return get(s, ctx, func(of *session) *[]*x509.Certificate { return of.deviceChain })
}

func (s *sessions) SetIncompleteVoucherHeader(ctx context.Context, header *fdo.VoucherHeader) error {
	return set(s, ctx, func(of *session) { of.header = &header })
}

func (s *sessions) IncompleteVoucherHeader(ctx context.Context) (*fdo.VoucherHeader, error) {
	return get(s, ctx, func(of *session) **fdo.VoucherHeader { return of.header })
}

func (s *sessions) SetTO0SignNonce(ctx context.Context, nonce protocol.Nonce) error {
	return set(s, ctx, func(of *session) { of.signNonce = &nonce })
}

func (s *sessions) TO0SignNonce(ctx context.Context) (protocol.Nonce, error) {
	return get(s, ctx, func(of *session) *protocol.Nonce { return of.signNonce })
}

func (s *sessions) SetTO1ProofNonce(ctx context.Context, nonce protocol.Nonce) error {
	return set(s, ctx, func(of *session) { of.proofNonce = &nonce })
}

func (s *sessions) TO1ProofNonce(ctx context.Context) (protocol.Nonce, error) {
	return get(s, ctx, func(of *session) *protocol.Nonce { return of.proofNonce })
}

func (s *sessions) SetGUID(ctx context.Context, guid protocol.GUID) error {
	return set(s, ctx, func(of *session) { of.guid = &guid })
}

func (s *sessions) GUID(ctx context.Context) (protocol.GUID, error) {
	return get(s, ctx, func(of *session) *protocol.GUID { return of.guid })
}

func (s *sessions) SetRvInfo(ctx context.Context, rendezvous [][]protocol.RvInstruction) error {
	return set(s, ctx, func(of *session) { of.rendezvous = &rendezvous })
}

func (s *sessions) RvInfo(ctx context.Context) ([][]protocol.RvInstruction, error) {
	return get(s, ctx, func(of *session) *[][]protocol.RvInstruction { return of.rendezvous })
}

func (s *sessions) SetReplacementGUID(ctx context.Context, guid protocol.GUID) error {
	return set(s, ctx, func(of *session) { of.replacementGUID = &guid })
}

func (s *sessions) ReplacementGUID(ctx context.Context) (protocol.GUID, error) {
	return get(s, ctx, func(of *session) *protocol.GUID { return of.replacementGUID })
}

func (s *sessions) SetReplacementHmac(ctx context.Context, hmac protocol.Hmac) error {
	return set(s, ctx, func(of *session) { of.replacementHmac = &hmac })
}

func (s *sessions) ReplacementHmac(ctx context.Context) (protocol.Hmac, error) {
	return get(s, ctx, func(of *session) *protocol.Hmac { return of.replacementHmac })
}

func (s *sessions) SetXSession(ctx context.Context, suite kex.Suite, running kex.Session) error {
	writable, ok := running.(encoding.BinaryMarshaler)
	if !ok {
		return fmt.Errorf("key exchange %s cannot be written down", suite)
	}
	encoded, err := writable.MarshalBinary()
	if err != nil {
		return err
	}
	return set(s, ctx, func(of *session) { of.exchange = &exchange{suite, encoded} })
}

func (s *sessions) XSession(ctx context.Context) (kex.Suite, kex.Session, error) {
	stored, err := get(s, ctx, func(of *session) *exchange { return of.exchange })
	if err != nil {
		return "", nil, err
	}
	// Which cipher is written down as well; the one named here is replaced by it.
	running := stored.suite.New(nil, kex.A128GcmCipher)
	readable, ok := running.(encoding.BinaryUnmarshaler)
	if !ok {
		return "", nil, fmt.Errorf("key exchange %s cannot be read back", stored.suite)
	}
	if err := readable.UnmarshalBinary(stored.encoded); err != nil {
		return "", nil, err
	}
	return stored.suite, running, nil
}

func (s *sessions) SetProveDeviceNonce(ctx context.Context, nonce protocol.Nonce) error {
	return set(s, ctx, func(of *session) { of.proveDeviceNonce = &nonce })
}

func (s *sessions) ProveDeviceNonce(ctx context.Context) (protocol.Nonce, error) {
	return get(s, ctx, func(of *session) *protocol.Nonce { return of.proveDeviceNonce })
}

func (s *sessions) SetSetupDeviceNonce(ctx context.Context, nonce protocol.Nonce) error {
	return set(s, ctx, func(of *session) { of.setupDeviceNonce = &nonce })
}

func (s *sessions) SetupDeviceNonce(ctx context.Context) (protocol.Nonce, error) {
	return get(s, ctx, func(of *session) *protocol.Nonce { return of.setupDeviceNonce })
}

func (s *sessions) SetMTU(ctx context.Context, mtu uint16) error {
	return set(s, ctx, func(of *session) { of.mtu = &mtu })
}

func (s *sessions) MTU(ctx context.Context) (uint16, error) {
	return get(s, ctx, func(of *session) *uint16 { return of.mtu })
}

func (s *sessions) SetDevmod(ctx context.Context, devmod serviceinfo.Devmod, modules []string, complete bool) error {
	return set(s, ctx, func(of *session) { of.devmod = &devmodState{devmod, modules, complete} })
}

func (s *sessions) Devmod(ctx context.Context) (serviceinfo.Devmod, []string, bool, error) {
	state, err := get(s, ctx, func(of *session) *devmodState { return of.devmod })
	return state.devmod, state.modules, state.complete, err
}

func (s *sessions) setModules(ctx context.Context, queue moduleQueue) error {
	return set(s, ctx, func(of *session) { of.modules = &queue })
}

func (s *sessions) modules(ctx context.Context) (moduleQueue, error) {
	return get(s, ctx, func(of *session) *moduleQueue { return of.modules })
}
