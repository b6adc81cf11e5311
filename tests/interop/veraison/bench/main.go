// Times Veraison's libraries. The first line it reads is what to work on; each further one says what to do how often,
// and is answered with the seconds that took.
package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/veraison/corim/comid"
	"github.com/veraison/corim/corim"
	"github.com/veraison/ear"
	"github.com/veraison/psatoken"
)

type inputs struct {
	PSA      []byte `json:"psa"`
	PSAKey   []byte `json:"psa_key"`
	Result   string `json:"result"`
	Verifier []byte `json:"verifier"`
	Corim    []byte `json:"corim"`
}

type order struct {
	Do    string `json:"do"`
	Calls int    `json:"calls"`
}

// Tag of an unsigned CoRIM, which the library leaves to its caller.
var corimTag = []byte{0xd9, 0x01, 0xf5}

func subjects(in inputs) (map[string]func() error, error) {
	psaKey, err := x509.ParsePKIXPublicKey(in.PSAKey)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(in.Verifier)
	if err != nil {
		return nil, err
	}
	verifier, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the verifier's key is of another algorithm")
	}
	token := []byte(in.Result)
	var result ear.AttestationResult
	if err := result.Verify(token, jwa.ES256(), &verifier.PublicKey); err != nil {
		return nil, err
	}
	digest := sha256.Sum256(token)
	signature, err := ecdsa.SignASN1(rand.Reader, verifier, digest[:])
	if err != nil {
		return nil, err
	}
	return map[string]func() error{
		"psa, psatoken": func() error {
			var evidence psatoken.Evidence
			if err := evidence.FromCOSE(in.PSA); err != nil {
				return err
			}
			return evidence.Verify(psaKey)
		},
		"verify old jwt, ear of Go": func() error {
			var result ear.AttestationResult
			return result.Verify(token, jwa.ES256(), &verifier.PublicKey)
		},
		"sign old jwt, ear of Go": func() error {
			_, err := result.Sign(jwa.ES256(), verifier)
			return err
		},
		"corim, corim of Go": func() error { return decodeCorim(in.Corim) },
		"verification, Go": func() error {
			digest := sha256.Sum256(token)
			if !ecdsa.VerifyASN1(&verifier.PublicKey, digest[:], signature) {
				return errors.New("our own signature is refused")
			}
			return nil
		},
		"signature, Go": func() error {
			digest := sha256.Sum256(token)
			_, err := ecdsa.SignASN1(rand.Reader, verifier, digest[:])
			return err
		},
	}, nil
}

// The manifest and the CoMIDs in it, each decoded and held to its rules.
func decodeCorim(encoded []byte) error {
	var manifest corim.UnsignedCorim
	if err := manifest.FromCBOR(bytes.TrimPrefix(encoded, corimTag)); err != nil {
		return err
	}
	if err := manifest.Valid(); err != nil {
		return err
	}
	for _, tag := range manifest.Tags {
		// The library drops the tag where it is around a byte string, and keeps it where it is inside.
		var module comid.Comid
		if err := module.FromCBOR(bytes.TrimPrefix(tag, corim.ComidTag)); err != nil {
			return err
		}
		if err := module.Valid(); err != nil {
			return err
		}
	}
	return nil
}

func run() error {
	lines := bufio.NewReader(os.Stdin)
	decoder := json.NewDecoder(lines)
	var in inputs
	if err := decoder.Decode(&in); err != nil {
		return err
	}
	subjects, err := subjects(in)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for decoder.More() {
		var order order
		if err := decoder.Decode(&order); err != nil {
			return err
		}
		call, known := subjects[order.Do]
		if !known {
			return fmt.Errorf("%q is not known", order.Do)
		}
		start := time.Now()
		for range order.Calls {
			if err := call(); err != nil {
				return fmt.Errorf("%s: %w", order.Do, err)
			}
		}
		fmt.Println(time.Since(start).Seconds())
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
