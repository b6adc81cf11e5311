package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fido-device-onboard/go-fdo"
	"github.com/fido-device-onboard/go-fdo/protocol"
)

// A kind of key by its name on the command line.
type keyKind string

// The kinds of keys there are.
const (
	ec256   keyKind = "ec256"
	ec384   keyKind = "ec384"
	rsa2048 keyKind = "rsa2048"
	rsa3072 keyKind = "rsa3072"
)

// How the protocol names a key of this kind.
func (kind keyKind) keyType() (protocol.KeyType, error) {
	switch kind {
	case ec256:
		return protocol.Secp256r1KeyType, nil
	case ec384:
		return protocol.Secp384r1KeyType, nil
	case rsa2048:
		return protocol.Rsa2048RestrKeyType, nil
	case rsa3072:
		return protocol.RsaPkcsKeyType, nil
	default:
		return 0, fmt.Errorf("there is no key type %q", string(kind))
	}
}

func kindOf(keyType protocol.KeyType, rsaBits int) (keyKind, error) {
	switch keyType {
	case protocol.Secp256r1KeyType:
		return ec256, nil
	case protocol.Secp384r1KeyType:
		return ec384, nil
	case protocol.Rsa2048RestrKeyType:
		return rsa2048, nil
	case protocol.RsaPkcsKeyType, protocol.RsaPssKeyType:
		switch rsaBits {
		case 2048:
			return rsa2048, nil
		case 3072:
			return rsa3072, nil
		}
	}
	return "", fmt.Errorf("key type %d with %d bits: %w", keyType, rsaBits, fdo.ErrNotFound)
}

func kindOfKey(public crypto.PublicKey) (keyKind, error) {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return ec256, nil
		case elliptic.P384():
			return ec384, nil
		}
	case *rsa.PublicKey:
		return kindOf(protocol.RsaPkcsKeyType, key.Size()*8)
	}
	return "", fmt.Errorf("keys of type %T with these parameters are not supported", public)
}

func (kind keyKind) generate() (crypto.Signer, error) {
	switch kind {
	case ec256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ec384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case rsa2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case rsa3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	default:
		return nil, fmt.Errorf("there is no key type %q", string(kind))
	}
}

// Makes a key and writes it and its public key to files.
func (kind keyKind) make(base string) (crypto.Signer, error) {
	key, err := kind.generate()
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := writePEM(base+".pub.pem", "PUBLIC KEY", public); err != nil {
		return nil, err
	}
	return key, writePEM(base+".pem", "PRIVATE KEY", private)
}

func encodingNamed(name string) (protocol.KeyEncoding, error) {
	switch name {
	case "x509":
		return protocol.X509KeyEnc, nil
	case "x5chain":
		return protocol.X5ChainKeyEnc, nil
	case "cose":
		return protocol.CoseKeyEnc, nil
	default:
		return 0, fmt.Errorf("there is no key encoding %q", name)
	}
}

// A private key with a certificate that it signed itself.
type identity struct {
	key   crypto.Signer
	chain []*x509.Certificate
}

func newIdentity(key crypto.Signer, name string, addresses ...net.IP) (*identity, error) {
	now := time.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(30, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		IPAddresses:           addresses,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", name, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", name, err)
	}
	return &identity{key, []*x509.Certificate{certificate}}, nil
}

// The public key as the protocol writes it.
func (i *identity) publicKey(keyType protocol.KeyType, encoding protocol.KeyEncoding) (*protocol.PublicKey, error) {
	if encoding == protocol.X5ChainKeyEnc {
		return protocol.NewPublicKey(keyType, i.chain, false)
	}
	asCOSE := encoding == protocol.CoseKeyEnc
	switch key := i.key.Public().(type) {
	case *ecdsa.PublicKey:
		return protocol.NewPublicKey(keyType, key, asCOSE)
	case *rsa.PublicKey:
		return protocol.NewPublicKey(keyType, key, asCOSE)
	default:
		return nil, fmt.Errorf("keys of type %T are not supported", key)
	}
}

// The keys of one role, one of each kind. Where there is a folder they are kept in it, and made when first asked for. Beside
// each that was made stands its public key, for whoever sells to this role.
type keyring struct {
	mutex  sync.Mutex
	folder string
	role   string
	keys   map[keyKind]*identity
}

func newKeyring(folder, role string) *keyring {
	return &keyring{folder: folder, role: role, keys: map[keyKind]*identity{}}
}

// Takes a key of one's own in place of a made one.
func (ring *keyring) take(path string) error {
	key, err := readPrivateKey(path)
	if err != nil {
		return err
	}
	kind, err := kindOfKey(key.Public())
	if err != nil {
		return err
	}
	ring.mutex.Lock()
	defer ring.mutex.Unlock()
	return ring.put(kind, key)
}

func (ring *keyring) of(kind keyKind) (*identity, error) {
	ring.mutex.Lock()
	defer ring.mutex.Unlock()
	if known := ring.keys[kind]; known != nil {
		return known, nil
	}
	if ring.folder == "" {
		return nil, fmt.Errorf("there is no %s key of the %s: %w", kind, ring.role, fdo.ErrNotFound)
	}
	base := filepath.Join(ring.folder, fmt.Sprintf("%s-%s", ring.role, kind))
	key, err := readPrivateKey(base + ".pem")
	if errors.Is(err, fs.ErrNotExist) {
		key, err = kind.make(base)
	}
	if err != nil {
		return nil, err
	}
	if err := ring.put(kind, key); err != nil {
		return nil, err
	}
	return ring.keys[kind], nil
}

// The caller has locked the ring.
func (ring *keyring) put(kind keyKind, key crypto.Signer) error {
	made, err := newIdentity(key, ring.role)
	if err != nil {
		return err
	}
	ring.keys[kind] = made
	return nil
}

func writePEM(path, label string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}), 0o600)
}

func readPrivateKey(path string) (crypto.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%s has no PRIVATE KEY", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s is a key that does not sign", path)
	}
	return signer, nil
}

// A public key, or the certificates that lead to it, leaf first.
func readPublicKey(path string) (crypto.PublicKey, []*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	var chain []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PUBLIC KEY":
			key, err := x509.ParsePKIXPublicKey(block.Bytes)
			return key, nil, err
		case "CERTIFICATE":
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", path, err)
			}
			chain = append(chain, certificate)
		}
	}
	if len(chain) == 0 {
		return nil, nil, fmt.Errorf("%s has neither PUBLIC KEY nor CERTIFICATE", path)
	}
	return chain[0].PublicKey, chain, nil
}
